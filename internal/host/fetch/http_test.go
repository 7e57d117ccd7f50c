package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// client returns a Client that may reach what patterns say.
func client(t *testing.T, allow ...string) *Client {
	t.Helper()
	c, err := New(Options{Allow: allow, Idle: 5 * time.Second, Agent: "snf-image/test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// all reads what a URL delivers.
func all(t *testing.T, c *Client, address string) (string, int64, error) {
	t.Helper()
	s, err := c.Open(t.Context(), address)
	if err != nil {
		return "", 0, err
	}
	b, err := io.ReadAll(s)
	return string(b), s.Length, errors.Join(err, s.Close())
}

// raw serves connections with bytes that no proper HTTP server sends.
func raw(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String() + "/image"
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	ok := "HTTP/1.1 200 OK\r\n"
	for _, tc := range []struct {
		name, answer string
		want         string
		length       int64
		err          string
	}{
		{"with a length", ok + "content-LENGTH: 5\r\n\r\nhello", "hello", 5, ""},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", -1, ""},
		{"up to the end of the connection", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", -1, ""},
		{"empty", ok + "Content-Length: 0\r\n\r\n", "", 0, ""},
		{"cut short", ok + "Content-Length: 6\r\n\r\nhello", "", 0, "broke off"},
		{"chunk cut short", ok + "Transfer-Encoding: chunked\r\n\r\n6\r\nhello", "", 0, "broke off"},
		{"last chunk missing", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "", 0, "broke off"},
		{"not found", "HTTP/1.1 404 secret\r\n\r\n", "", 0, "answered 404 Not Found"},
		{"server error", "HTTP/1.1 500 x\r\n\r\n", "", 0, "answered 500"},
		{"partial", "HTTP/1.1 206 x\r\nContent-Length: 1\r\n\r\nx", "", 0, "answered 206"},
		{"encoded", ok + "Content-Encoding: gzip\r\n\r\nx", "", 0, `encoded as "gzip"`},
		{"redirect to nowhere", "HTTP/1.1 302 x\r\n\r\n", "", 0, "redirects to nowhere"},
		{"no HTTP", "SSH-2.0-x\r\n", "", 0, "malformed"},
		{"an endless first line", strings.Repeat("x", 3<<20), "", 0, "exceeded"},
		{"a long first line", strings.Repeat("x", 30<<10) + "\r\n", "", 0, "malformed"},
		{"nothing", "", "", 0, "EOF"},
	} {
		got, length, err := all(t, client(t, "http://127.0.0.1"), raw(t, tc.answer)+"?token=canary")
		if tc.err == "" && (err != nil || got != tc.want || length != tc.length) {
			t.Errorf("%s: %q of %d, %v, want %q of %d", tc.name, got, length, err, tc.want, tc.length)
		}
		if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary") || len(err.Error()) > 500) {
			t.Errorf("%s: %.1000v, want a short error with %q", tc.name, err, tc.err)
		}
	}
}

// TestOneRequest shows that a server that answers once is enough, and what it
// is told.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if requests.Add(1) > 1 || r.Method != http.MethodGet || r.Header.Get("Range") != "" || r.Header.Get("Accept-Encoding") != "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "%s %s %s %s", user, password, r.URL.RawQuery, r.UserAgent())
	}))
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "http://", "http://user:p%40ss@", 1) + "/x?a=b"
	if got, _, err := all(t, client(t, server.URL), address); err != nil || got != "user p@ss a=b snf-image/test" {
		t.Errorf("the first time: %q, %v", got, err)
	}
	if _, _, err := all(t, client(t, server.URL), address); err == nil || requests.Load() != 2 {
		t.Errorf("the second time: %v, after %d requests", err, requests.Load())
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, auth := r.BasicAuth()
		fmt.Fprint(w, "other, credentials: ", auth)
	}))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, auth := r.BasicAuth()
		if r.URL.Path == "/end" {
			fmt.Fprint(w, "end, credentials: ", auth)
			return
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	t.Cleanup(server.Close)
	start := strings.Replace(server.URL, "http://", "http://user:canary@", 1) + "/?to="
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "127.0.0.2", 1)
	for _, tc := range []struct{ to, want, err string }{
		{"/end", "end, credentials: true", ""},
		{"end?x", "end, credentials: true", ""},
		{server.URL + "/end", "end, credentials: true", ""},
		{other.URL, "other, credentials: false", ""},
		{strings.TrimPrefix(other.URL, "http:"), "other, credentials: false", ""},
		{elsewhere, "", "loopback"},
		{"http://localhost/", "", "loopback"},
		{"http://LOCALHOST./", "", "loopback"},
		{"http://[::1]/", "", "loopback"},
		{"http://[::ffff:127.0.0.1]/", "", "loopback"},
		{"http://169.254.169.254/latest", "", "link-local"},
		{"http://[fe80::1%25eth0]/", "", "link-local"},
		{"http://0.0.0.0/", "", "loopback"},
		{"http://0/", "", "not an IPv4 address"},
		{"file:///etc/shadow", "", "only http and https"},
		{"ftp://" + strings.TrimPrefix(other.URL, "http://"), "", "only http and https"},
		{"gopher://x", "", "only http and https"},
		{"http:///x", "", "names no host"},
		{"/?to=/", "", "more than 10 redirects"},
	} {
		got, _, err := all(t, client(t, server.URL, other.URL), start+url.QueryEscape(tc.to))
		if strings.HasPrefix(tc.to, "/?to=") {
			got, _, err = all(t, client(t, server.URL), start+url.QueryEscape("/?to="+url.QueryEscape("/")))
		}
		switch {
		case tc.err == "" && (err != nil || got != tc.want):
			t.Errorf("%s: %q, %v, want %q", tc.to, got, err, tc.want)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%s: %q, %v, want an error with %q", tc.to, got, err, tc.err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the password is in %v", tc.to, err)
		}
	}
}

// TestDowngrade follows http to https, by a certificate from TLS_CA_FILE, but not
// back.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusMovedPermanently)
		}
	}))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusMovedPermanently)
		}
		fmt.Fprint(w, "secure")
	}))
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(secure.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Allow: []string{"*://127.0.0.1"}, CAFile: ca}); err == nil {
		t.Fatal("a pattern for every scheme was taken")
	}
	c, err := New(Options{Allow: []string{"http://127.0.0.1", "https://127.0.0.1"}, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := all(t, c, plain.URL+"/?to="+secure.URL); err != nil || got != "secure" {
		t.Errorf("http to https: %q, %v", got, err)
	}
	if _, _, err := all(t, c, secure.URL+"/down"); err == nil || !strings.Contains(err.Error(), "from https, http is not followed") {
		t.Errorf("https to http: %v", err)
	}
	if _, _, err := all(t, client(t, "https://127.0.0.1"), secure.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}

// TestIdle ends what stands still, before and after the answer began; the
// reader's own pauses do not count.
func TestIdle(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = w.Write([]byte("begun"))
			w.(http.Flusher).Flush()
		}
		<-hang
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	c, err := New(Options{Allow: []string{server.URL}, Idle: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/body"} {
		if _, _, err := all(t, c, server.URL+path); !errors.Is(err, errIdle) {
			t.Errorf("%s: %v, want %v", path, err, errIdle)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	s, err := client(t, server.URL).Open(ctx, server.URL+"/body")
	if err != nil {
		t.Fatal(err)
	}
	cancel(stop)
	if _, err := io.ReadAll(s); !errors.Is(err, stop) {
		t.Errorf("after the end of its context a stream reads %v", err)
	}
	_ = s.Close()
}

// TestProxy sends to the proxy what may not be reached directly and lets it
// resolve the name, but not the names of this node.
func TestProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "by proxy: ", r.URL)
	}))
	t.Cleanup(proxy.Close)
	c, err := New(Options{HTTPProxy: proxy.URL, NoProxy: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := all(t, c, "http://images.example/x"); err != nil || got != "by proxy: http://images.example/x" {
		t.Errorf("%q, %v", got, err)
	}
	for _, address := range []string{"http://169.254.169.254/", "http://localhost/", "http://127.0.0.1/"} {
		if got, _, err := all(t, c, address); !errors.Is(err, errReach) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}
