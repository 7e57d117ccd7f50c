package fetch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// dripping serves /drip in bytes that come one by one, and /flood without an end.
func dripping(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pause, piece := 5*time.Millisecond, make([]byte, 1)
		if r.URL.Path == "/flood" {
			pause, piece = 0, make([]byte, 1<<16)
		}
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func limitedClient(t *testing.T, server *httptest.Server, o Options) *Client {
	t.Helper()
	o.Allow = []string{server.URL}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDrip ends a transfer that never stands still and never gets anywhere.
func TestDrip(t *testing.T) {
	t.Parallel()
	server := dripping(t)
	c := limitedClient(t, server, Options{Rate: 10_000, Window: 100 * time.Millisecond})
	_, _, err := all(t, c, server.URL+"/drip")
	if !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), "and 10000 a second are the least") {
		t.Errorf("a drip: %v, want %v", err, ErrSlow)
	}
	// A reader that takes its time is not the server's fault.
	s, err := c.Open(t.Context(), server.URL+"/flood")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // it has no end
	for range 4 {
		if _, err := io.ReadFull(s, make([]byte, 10)); err != nil {
			t.Errorf("a slow reader: %v", err)
		}
		time.Sleep(60 * time.Millisecond) // longer than the window altogether
	}
}

// TestShortLimit leaves a window to judge the rate where the limit is shorter than one.
func TestShortLimit(t *testing.T) {
	t.Parallel()
	server := dripping(t)
	c := limitedClient(t, server, Options{Rate: 10_000, Limit: 400 * time.Millisecond})
	if _, _, err := all(t, c, server.URL+"/drip"); !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), "and 10000 a second are the least") {
		t.Errorf("a drip: %v, want %v for its rate", err, ErrSlow)
	}
}

// TestLimit ends a transfer that goes on and on.
func TestLimit(t *testing.T) {
	t.Parallel()
	server := dripping(t)
	c := limitedClient(t, server, Options{Limit: time.Second, Rate: 1})
	for _, path := range []string{"/flood", "/drip"} {
		s, err := c.Open(t.Context(), server.URL+path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), "not done after 1s") {
			t.Errorf("%s: %v, want %v", path, err, ErrSlow)
		}
		_ = s.Close()
	}
	s := ftpServer{content: "hello", size: "213 6", last: "226 done", stuck: true}
	address := s.start(t)
	slow, err := New(Options{Allow: []string{"ftp://127.0.0.1"}, Limit: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := all(t, slow, fmt.Sprintf("ftp://%s/image", address)); !errors.Is(err, ErrSlow) {
		t.Errorf("FTP: %v, want %v", err, ErrSlow)
	}
}
