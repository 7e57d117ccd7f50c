package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// contentRange is the value of Content-Range (RFC 9110 section 14.4).
type contentRange struct{ first, last, total int64 } // total is -1 when it is not known

// parseContentRange reads bytes FIRST-LAST/TOTAL, whose TOTAL may be an asterisk.
func parseContentRange(text string) (contentRange, bool) {
	unit, rest, space := strings.Cut(text, " ")
	span, total, slash := strings.Cut(rest, "/")
	first, last, dash := strings.Cut(span, "-")
	r := contentRange{number(first), number(last), -1}
	if total != "*" {
		r.total = number(total)
		if r.total <= r.last {
			return r, false
		}
	}
	return r, space && slash && dash && strings.EqualFold(unit, "bytes") && r.first >= 0 && r.last >= r.first
}

// number reads a decimal number of digits alone, -1 for anything else.
func number(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || strings.Trim(text, "0123456789") != "" {
		return -1
	}
	return int64(n)
}

// retryAfter returns how long a server wants to be left alone (RFC 9110 section 10.2.3),
// 0 when it does not say.
func retryAfter(text string, now time.Time) time.Duration {
	if n := number(text); n >= 0 {
		return time.Duration(min(n, int64(maxDelay/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxDelay)
}

// maxDelay bounds what retryAfter returns. It is far more than anybody waits.
const maxDelay = 1000 * time.Hour

// span is the value of Range (RFC 9110 section 14.2).
func (a ask) span() string {
	if a.to > 0 {
		return fmt.Sprintf("bytes=%d-%d", a.from, a.to-1)
	}
	return fmt.Sprintf("bytes=%d-", a.from)
}

// rest checks the head of an answer that has to be the file from a byte on, and returns
// the range.
func (a ask) rest(r *http.Response) (contentRange, error) {
	ranges := r.Header.Values("Content-Range")
	if len(ranges) != 1 {
		return contentRange{}, misranged("the server sent a part of the file and does not say which one")
	}
	got, ok := parseContentRange(ranges[0])
	switch {
	case !ok:
		return got, misranged("the server sent a part of the file with the range %.80q, which is none", ranges[0])
	case !a.version.holds(r.Header):
		return got, ErrChanged
	case a.length >= 0 && got.total >= 0 && got.total != a.length:
		return got, fmt.Errorf("%w: it had %d bytes and has %d", ErrChanged, a.length, got.total)
	case a.length < 0 && got.total < 0: // nothing would tell its end from another break
		return got, misranged("the server sent a part of the file and does not say how long the whole is")
	case got.first != a.from || a.to > 0 && got.last >= a.to || a.length >= 0 && got.last >= a.length:
		return got, misranged("the server was asked for what follows byte %d and sent bytes %d to %d", a.from, got.first, got.last)
	case r.ContentLength >= 0 && r.ContentLength != got.last-got.first+1:
		return got, misranged("the server sent %d bytes for the bytes %d to %d", r.ContentLength, got.first, got.last)
	}
	return got, nil
}

// rangeError is the error of an answer that is not of the range that was asked for.
type rangeError struct{ error }

func misranged(format string, args ...any) error { return &rangeError{fmt.Errorf(format, args...)} }
