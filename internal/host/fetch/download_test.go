package fetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// digits is the file that the servers of these tests have.
const digits = "0123456789"

// series answers each connection with the next of some bytes, the last ones again and
// again, and keeps the requests.
type series struct {
	answers []string

	mu       sync.Mutex
	requests []*http.Request
}

// serve returns the address of the server.
func (s *series) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for i := 0; ; i++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				s.mu.Lock()
				s.requests = append(s.requests, r)
				s.mu.Unlock()
			}
			_, _ = io.WriteString(conn, strings.ReplaceAll(s.answers[min(i, len(s.answers)-1)], "SELF", l.Addr().String()))
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String() + "/image"
}

// patient returns a Client that does not wait long, and may reach this machine.
func patient(t *testing.T, allow ...string) *Client {
	t.Helper()
	c, err := New(Options{Allow: allow, Idle: 5 * time.Second, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// patiently reads what a URL delivers, however often it breaks off.
func patiently(t *testing.T, c *Client, address string) (text string, resumed int, notes []string, err error) {
	t.Helper()
	s, err := c.Download(t.Context(), address, func(text string) { notes = append(notes, text) })
	if err != nil {
		return "", 0, notes, err
	}
	b, err := io.ReadAll(s)
	if err == nil && s.Length >= 0 && s.Length != int64(len(b)) {
		err = fmt.Errorf("it has %d bytes, and %d were announced", len(b), s.Length)
	}
	return string(b), s.Resumed(), notes, errors.Join(err, s.Close())
}

// Heads of answers, each with the end of its head.
const (
	whole   = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n"
	chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n"
	busy    = "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"
	dated   = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nDate: Mon, 02 Jan 2006 15:%s GMT\r\n\r\n"
)

// rest is the head of an answer with a range of the version a.
func rest(span string) string {
	return "HTTP/1.1 206 x\r\nETag: \"a\"\r\nContent-Range: " + span + "\r\n\r\n"
}

func TestDownload(t *testing.T) {
	t.Parallel()
	last := "HTTP/1.1 206 x\r\nContent-Range: bytes 4-9/10\r\n"
	for name, tc := range map[string]struct {
		answers []string
		resumed int
		asked   int // how often
	}{
		"whole":                       {[]string{whole + digits}, 0, 1},
		"cut once":                    {[]string{whole + "0123", rest("bytes 4-9/10") + "456789"}, 1, 2},
		"cut twice":                   {[]string{whole + "0123", rest("bytes 4-9/10") + "45", rest("bytes 6-9/10") + "6789"}, 2, 3},
		"cut before the first byte":   {[]string{whole, whole + digits}, 1, 2},
		"nothing at first":            {[]string{"", whole + digits}, 0, 2},
		"busy at first":               {[]string{busy, "HTTP/1.1 429 x\r\nRetry-After: 0\r\n\r\n", "HTTP/1.1 408 x\r\n\r\n", "HTTP/1.1 500 x\r\n\r\n", whole + digits}, 0, 5},
		"busy when asked again":       {[]string{whole + "0123", busy, "", "HTTP/1.1 206 x\r\nETag:", rest("bytes 4-9/10") + "456789"}, 1, 5},
		"less than asked for":         {[]string{whole + "0123", rest("bytes 4-7/10") + "4567", rest("bytes 8-9/10") + "89"}, 2, 3},
		"a total that is not told":    {[]string{whole + "0123", rest("bytes 4-9/*") + "456789"}, 1, 2},
		"chunked":                     {[]string{chunked + "4\r\n0123\r\n", rest("bytes 4-9/10") + "456789"}, 1, 2},
		"cut in the head of a chunk":  {[]string{chunked + "4\r\n0123\r\n6", rest("bytes 4-9/10") + "456789"}, 1, 2},
		"chunked again":               {[]string{whole + "0123", strings.Replace(rest("bytes 4-9/10"), "x\r\n", "x\r\nTransfer-Encoding: chunked\r\n", 1) + "6\r\n456789\r\n0\r\n\r\n"}, 1, 2},
		"by a date":                   {[]string{fmt.Sprintf(dated, "05:05") + "0123", last + "\r\n456789"}, 1, 2},
		"by a date that is repeated":  {[]string{fmt.Sprintf(dated, "05:05") + "0123", last + "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n456789"}, 1, 2},
		"by a redirect that goes on":  {[]string{"HTTP/1.1 302 x\r\nLocation: /b\r\n\r\n", whole + "0123", rest("bytes 4-9/10") + "456789"}, 1, 3},
		"by a redirect that is stale": {[]string{"HTTP/1.1 302 x\r\nLocation: /b\r\n\r\n", whole + "0123", "HTTP/1.1 403 x\r\n\r\n", "HTTP/1.1 302 x\r\nLocation: /c\r\n\r\n", rest("bytes 4-9/10") + "456789"}, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &series{answers: tc.answers}
			got, resumed, notes, err := patiently(t, patient(t, "http://127.0.0.1"), s.serve(t))
			if err != nil || got != digits || resumed != tc.resumed || len(s.requests) != tc.asked {
				t.Errorf("%q, resumed %d times, %d requests, %v; want all, %d and %d; notes:\n%s", got, resumed, len(s.requests), err, tc.resumed, tc.asked, strings.Join(notes, "\n"))
			}
		})
	}
}

// TestDownloadAsks shows what a server is told when it is asked for the rest.
func TestDownloadAsks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first, want string
	}{
		"an entity tag":             {whole, `"a"`},
		"a date":                    {fmt.Sprintf(dated, "05:05"), "Mon, 02 Jan 2006 15:04:05 GMT"},
		"an entity tag with a date": {strings.Replace(whole, "\r\n\r\n", "\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n", 1), `"a"`},
	} {
		s := &series{answers: []string{first(tc.first), "HTTP/1.1 206 x\r\nETag: \"a\"\r\nContent-Range: bytes 4-9/10\r\n\r\n456789"}}
		address := strings.Replace(s.serve(t), "//", "//user:p%40ss@", 1) + "?token=canary"
		got, _, notes, err := patiently(t, patient(t, "http://127.0.0.1"), address)
		if err != nil || got != digits || len(s.requests) != 2 {
			t.Errorf("%s: %q, %v, %d requests", name, got, err, len(s.requests))
			continue
		}
		for i, want := range []string{"", "bytes=4-"} {
			r := s.requests[i]
			user, password, _ := r.BasicAuth()
			if r.Method != http.MethodGet || r.Header.Get("Range") != want || r.Header.Get("Accept-Encoding") != "identity" || user+password != "userp@ss" || r.URL.RawQuery != "token=canary" {
				t.Errorf("%s: request %d is %s %s %v", name, i, r.Method, r.URL, r.Header)
			}
		}
		if s.requests[0].Header.Get("If-Range") != "" || s.requests[1].Header.Get("If-Range") != tc.want {
			t.Errorf("%s: If-Range is %q and %q, want %q", name, s.requests[0].Header.Get("If-Range"), s.requests[1].Header.Get("If-Range"), tc.want)
		}
		if text := strings.Join(notes, "\n"); len(notes) != 2 || strings.Contains(text, "canary") || !strings.Contains(text, "resumed after 4 bytes") {
			t.Errorf("%s: the notes are %q", name, notes)
		}
	}
}

// first is an answer with this head that breaks off after four bytes.
func first(head string) string { return head + digits[:4] }

// hostile are answers that have to fail, with a part of the error.
var hostile = map[string]struct {
	answers []string
	err     string
	asked   int
}{
	"no validator":                     {[]string{first("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")}, "broke off before its end, after 4 bytes, and the server does not let it be resumed, for it sent neither an ETag", 1},
	"a weak tag":                       {[]string{first("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: W/\"a\"\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nDate: Mon, 02 Jan 2007 15:04:05 GMT\r\n\r\n")}, "for the ETag it sent is not a strong one", 1},
	"a tag without quotes":             {[]string{first("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: a\r\n\r\n")}, "not a strong one", 1},
	"two tags":                         {[]string{first("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"a\"\r\nETag: \"b\"\r\n\r\n")}, "not a strong one", 1},
	"a date that is new":               {[]string{first(fmt.Sprintf(dated, "05:04"))}, "a Last-Modified date that is too new", 1},
	"a date without a clock":           {[]string{first("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n")}, "too new", 1},
	"changed, the whole again":         {[]string{first(whole), strings.ReplaceAll(whole, `"a"`, `"b"`) + digits}, ErrChanged.Error(), 2},
	"not changed, the whole again":     {[]string{first(whole), whole + digits}, "begins from the start again", 2},
	"changed, another tag":             {[]string{first(whole), strings.ReplaceAll(rest("bytes 4-9/10"), `"a"`, `"b"`) + "456789"}, ErrChanged.Error(), 2},
	"changed, a weak tag":              {[]string{first(whole), strings.ReplaceAll(rest("bytes 4-9/10"), `"a"`, `W/"a"`) + "456789"}, ErrChanged.Error(), 2},
	"changed, no tag":                  {[]string{first(whole), "HTTP/1.1 206 x\r\nContent-Range: bytes 4-9/10\r\n\r\n456789"}, ErrChanged.Error(), 2},
	"changed, another date":            {[]string{first(fmt.Sprintf(dated, "05:05")), "HTTP/1.1 206 x\r\nLast-Modified: Mon, 02 Jan 2006 15:04:06 GMT\r\nContent-Range: bytes 4-9/10\r\n\r\n456789"}, ErrChanged.Error(), 2},
	"changed in the second rest":       {[]string{first(whole), rest("bytes 4-9/10") + "45", strings.ReplaceAll(rest("bytes 6-9/10"), `"a"`, `"b"`) + "6789"}, ErrChanged.Error(), 3},
	"changed before the first byte":    {[]string{whole, strings.ReplaceAll(whole, `"a"`, `"b"`) + digits}, ErrChanged.Error(), 2},
	"shorter":                          {[]string{first(whole), "HTTP/1.1 416 x\r\nContent-Range: bytes */2\r\n\r\n"}, ErrChanged.Error(), 2},
	"longer":                           {[]string{first(whole), rest("bytes 4-9/11") + "456789"}, "it had 10 bytes and has 11", 2},
	"gone":                             {[]string{first(whole), "HTTP/1.1 404 x\r\n\r\n"}, "after 4 bytes, and resuming it failed: the server answered 404", 2},
	"another start":                    {[]string{first(whole), rest("bytes 5-9/10") + "56789"}, "asked for what follows byte 4 and sent bytes 5 to 9", 2},
	"an overlap":                       {[]string{first(whole), rest("bytes 2-9/10") + "23456789"}, "sent bytes 2 to 9", 2},
	"from the start":                   {[]string{first(whole), rest("bytes 0-9/10") + digits}, "sent bytes 0 to 9", 2},
	"an end behind the end":            {[]string{first(whole), rest("bytes 4-10/*") + "4567890"}, "sent bytes 4 to 10", 2},
	"a rest that may not be the last":  {[]string{chunked + "4\r\n0123\r\n", rest("bytes 4-7/*") + "4567"}, "does not say how long the whole is", 2},
	"a range that is none":             {[]string{first(whole), rest("bytes 9-4/10") + "456789"}, "which is none", 2},
	"a range of lines":                 {[]string{first(whole), rest("lines 4-9/10") + "456789"}, "which is none", 2},
	"no range":                         {[]string{first(whole), "HTTP/1.1 206 x\r\nETag: \"a\"\r\n\r\n456789"}, "does not say which one", 2},
	"two ranges":                       {[]string{first(whole), strings.Replace(rest("bytes 4-9/10"), "x\r\n", "x\r\nContent-Range: bytes 0-5/10\r\n", 1) + "456789"}, "does not say which one", 2},
	"many parts":                       {[]string{first(whole), "HTTP/1.1 206 x\r\nETag: \"a\"\r\nContent-Type: multipart/byteranges; boundary=b\r\n\r\n--b\r\nContent-Range: bytes 4-9/10\r\n\r\n456789\r\n--b--\r\n"}, "does not say which one", 2},
	"a length that is not the range's": {[]string{first(whole), strings.Replace(rest("bytes 4-9/10"), "x\r\n", "x\r\nContent-Length: 5\r\n", 1) + "45678"}, "sent 5 bytes for the bytes 4 to 9", 2},
	"more than the range":              {[]string{first(whole), rest("bytes 4-9/10") + "4567890"}, "more than the 10 bytes it announced", 2},
	"a compressed rest":                {[]string{first(whole), strings.Replace(rest("bytes 4-9/10"), "x\r\n", "x\r\nContent-Encoding: gzip\r\n", 1) + "456789"}, `encoded as "gzip"`, 2},
	"a part at first":                  {[]string{rest("bytes 0-9/10") + digits}, "answered 206", 1},
	"parts at first":                   {[]string{"HTTP/1.1 206 x\r\nContent-Type: multipart/byteranges; boundary=b\r\n\r\n--b--\r\n"}, "answered 206", 1},
	"compressed":                       {[]string{"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n\r\nx"}, `encoded as "GZIP"`, 1},
	"compressed twice":                 {[]string{"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n\r\nx"}, `encoded as "br"`, 1},
	"a transfer encoding":              {[]string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"}, "unsupported transfer encoding", 1},
	"two lengths":                      {[]string{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n" + digits}, "Content-Length", 1},
	"a negative length":                {[]string{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + digits}, "Content-Length", 1},
	"a chunk that is none":             {[]string{chunked + "4\r\n0123\r\nx\r\n"}, "invalid byte in chunk length", 1},
	"a chunk that is too large":        {[]string{chunked + "4\r\n0123\r\nfffffffffffffffff\r\n"}, "chunk", 1},
	"chunks of nothing but comments":   {[]string{chunked + strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\n0\r\n", 100)}, "too much non-data", 1},
	"an endless trailer":               {[]string{chunked + "4\r\n0123\r\n0\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 1000)}, "trailer", 1},
	"endless headers":                  {[]string{"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 10000)}, "exceeded", 1},
	"an endless header":                {[]string{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10<<20)}, "exceeded", 1},
	"endless first answers":            {[]string{strings.Repeat("HTTP/1.1 103 x\r\nLink: "+strings.Repeat("x", 1000)+"\r\n\r\n", 10000)}, "exceeded", 1},
	"refused":                          {[]string{"HTTP/1.1 403 x\r\n\r\n"}, "answered 403", 1},
	"no HTTP":                          {[]string{"SSH-2.0-x\r\n"}, "malformed", 1},
	"busy for ever":                    {[]string{busy}, "answered 503 Service Unavailable, and 5 more tries were in vain", 6},
	"busy for long":                    {[]string{"HTTP/1.1 429 x\r\nRetry-After: 3600\r\n\r\n"}, "asks to be left alone for 1h0m0s", 1},
	"nobody any more":                  {[]string{first(whole), ""}, "closed the connection without an answer: EOF, and 5 more tries were in vain", 6},
	"cut for ever":                     {[]string{whole}, "in vain", 6},
	"a redirect elsewhere":             {[]string{"HTTP/1.1 302 x\r\nLocation: http://127.0.0.2:1/\r\n\r\n"}, "loopback", 1},
	"the rest at the metadata service": {[]string{first(whole), "HTTP/1.1 302 x\r\nLocation: http://169.254.169.254/latest/\r\n\r\n"}, "link-local", 2},
	"the rest at another port":         {[]string{first(whole), "HTTP/1.1 307 x\r\nLocation: http://127.0.0.2/\r\n\r\n"}, "resuming it failed: it redirects to http://127.0.0.2/: the URL is refused", 2},
	"the rest in a file":               {[]string{first(whole), "HTTP/1.1 302 x\r\nLocation: file:///etc/shadow\r\n\r\n"}, "only http and https", 2},
	"the rest in a circle":             {[]string{first(whole), "HTTP/1.1 302 x\r\nLocation: http://SELF/image\r\n\r\n"}, "more than 10 redirects", 12},
}

func TestHostileServer(t *testing.T) {
	t.Parallel()
	for name, tc := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &series{answers: tc.answers}
			got, _, notes, err := patiently(t, patient(t, "http://127.0.0.1"), s.serve(t)+"?canary")
			if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary") || len(err.Error()) > 500 || len(s.requests) != tc.asked {
				t.Errorf("%q, %.1000v after %d requests, want a short error with %q and %d; notes:\n%s", got, err, len(s.requests), tc.err, tc.asked, strings.Join(notes, "\n"))
			}
			for part, remedy := range map[string]string{
				ErrChanged.Error(): "start again, and leave", "be resumed": "a strong ETag", "encoded": "without Content-Encoding", "left alone": "later",
				"the URL is refused": "ALLOW_URL", "sent bytes": "RFC 9110, section 14", "which one": "RFC 9110", "from the start again": "RFC 9110",
			} {
				if strings.Contains(tc.err, part) && !strings.Contains(Remedy(err), remedy) {
					t.Errorf("the remedy for %v is %q, want %q", err, Remedy(err), remedy)
				}
			}
			if strings.Contains(tc.err, ErrChanged.Error()) && !errors.Is(err, ErrChanged) {
				t.Errorf("%v is not ErrChanged", err)
			}
		})
	}
}
