package fetch

import (
	"net/http"
	"strings"
	"time"
)

// version tells the contents that a file has at different times apart. The zero value
// tells nothing.
type version struct {
	etag     string // strong, RFC 9110 section 8.8.3
	modified string // as the server wrote it
	why      string // why the others are empty
}

// settled is how long before an answer the file has to have been changed for the last
// time, for that time to tell its contents apart: they may change twice in a second, and
// two clocks may differ (RFC 9110 section 8.8.2.2).
const settled = time.Minute

// versionOf returns the version of a file by the head of an answer. A time counts only
// where there is no entity tag, and a weak tag does not count (RFC 9110 section 13.1.5).
func versionOf(h http.Header) version {
	switch tags := h.Values("ETag"); {
	case len(tags) == 1 && strongTag(tags[0]):
		return version{etag: tags[0]}
	case len(tags) > 0:
		return version{why: "the ETag it sent is not a strong one"}
	}
	at, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return version{why: "it sent neither an ETag nor a Last-Modified date"}
	}
	if now, err := http.ParseTime(h.Get("Date")); err != nil || now.Sub(at) < settled {
		return version{why: "it sent no ETag, and a Last-Modified date that is too new"}
	}
	return version{modified: h.Get("Last-Modified")}
}

// strongTag reports whether text is a strong entity tag.
func strongTag(text string) bool {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return false
	}
	return !strings.ContainsFunc(text[1:len(text)-1], func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f })
}

// known reports whether the version tells anything.
func (v version) known() bool { return v.etag != "" || v.modified != "" }

// validator is the value of If-Range.
func (v version) validator() string {
	if v.etag != "" {
		return v.etag
	}
	return v.modified
}

// holds reports whether the answer with this head is of the version v. A partial answer
// always has the entity tag, but need not have the date (RFC 9110 section 15.3.7).
func (v version) holds(h http.Header) bool {
	if v.etag != "" {
		return len(h.Values("ETag")) == 1 && h.Get("ETag") == v.etag
	}
	at := h.Get("Last-Modified")
	return v.modified != "" && (at == "" || at == v.modified)
}
