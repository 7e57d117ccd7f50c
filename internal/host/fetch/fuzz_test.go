package fetch

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
)

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Fri, 02 Jan 2026 03:04:35 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if got := retryAfter(text, time.Unix(0, 0)); got < 0 || got > maxDelay {
			t.Errorf("retryAfter(%q) = %s", text, got)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 4-9/10", "bytes 0-0/*", "bytes */10", "bytes 9-4/10", "bytes 0-9223372036854775807/*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseContentRange(text)
		if ok && (r.first < 0 || r.last < r.first || r.total >= 0 && r.total <= r.last || r.total < -1) {
			t.Errorf("parseContentRange(%q) = %+v", text, r)
		}
		total := "*"
		if r.total >= 0 {
			total = fmt.Sprint(r.total)
		}
		if again, same := parseContentRange(fmt.Sprintf("bytes %d-%d/%s", r.first, r.last, total)); ok && (!same || again != r) {
			t.Errorf("parseContentRange(%q) = %+v, and written again %+v", text, r, again)
		}
	})
}

// FuzzVersion holds what goes into a request to what a header can hold.
func FuzzVersion(f *testing.F) {
	f.Add(`"a"`, "Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:05:05 GMT")
	f.Add(`W/"a"`, "", "")
	f.Fuzz(func(t *testing.T, tag, modified, date string) {
		h := http.Header{}
		for name, value := range map[string]string{"ETag": tag, "Last-Modified": modified, "Date": date} {
			if value != "" {
				h.Set(name, value)
			}
		}
		v := versionOf(h)
		if v.known() == (v.why != "") || v.known() && !v.holds(h) {
			t.Errorf("versionOf(%q) = %+v", h, v)
		}
		if strings.HasPrefix(v.validator(), "W/") || tag != "" && v.modified != "" || strings.ContainsAny(v.etag, " \r\n") {
			t.Errorf("versionOf(%q) = %+v, which is weak", h, v)
		}
	})
}

// wired is a pipe that looks like a connection to the server.
type wired struct{ net.Conn }

func (wired) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 21} }

// FuzzFTP has a server say anything at any time: the client ends, and says no more of it
// than is good.
func FuzzFTP(f *testing.F) {
	f.Add("220 ready\r\n331 password\r\n230 hello\r\n211-has\r\n MDTM\r\n211 end\r\n200 ok\r\n213 10\r\n213 20060102150405\r\n229 ok (|||2000|)\r\n")
	f.Add("220 ready\r\n230 hello\r\n500 no\r\n200 ok\r\n550 no\r\n502 no\r\n227 ok (127,0,0,1,3,255)\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		dial := func(string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			go func() { _, _ = io.WriteString(there, said); _ = there.Close() }()
			return &bounded{wired{here}, maxTalk}, nil
		}
		server, err := ftp.Dial("192.0.2.1:21", ftp.DialWithDialFunc(dial))
		if err == nil {
			u, _ := url.Parse("ftp://192.0.2.1/image")
			_, err = retrieve(server, u, ask{again: true})
		}
		if err == nil {
			t.Fatal("a file came over a connection that there is not")
		}
		text := failed(t.Context(), tidy(err)).Error()
		if len(text) > 500 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%.2000q", text)
		}
	})
}
