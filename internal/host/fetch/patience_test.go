package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// breaking serves piece after piece of a file that has no end, with a pause before each,
// and breaks the connection then.
func breaking(t *testing.T, piece int, pause time.Duration) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	requests := new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		from := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		time.Sleep(pause)
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Content-Length", fmt.Sprint(1<<40-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, 1<<40-1, 1<<40))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(make([]byte, piece))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	return server, requests
}

// TestLimitsLast shows that a server that breaks the connections gets no more time, and
// need not be faster, than one that does not.
func TestLimitsLast(t *testing.T) {
	t.Parallel()
	server, requests := breaking(t, 1, 0)
	if _, _, _, err := patiently(t, patient(t, server.URL), server.URL); err == nil || !strings.Contains(err.Error(), "in vain") || requests.Load() != 1+maxTries {
		t.Errorf("byte by byte: %v after %d requests, want %d", err, requests.Load(), 1+maxTries)
	}
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"the limit": {Options{Limit: time.Second, Rate: 1}, "it is not done after 1s"},
		"the rate":  {Options{Rate: 1 << 40, Window: 500 * time.Millisecond}, "a second are the least"},
	} {
		server, requests := breaking(t, worthwhile, 20*time.Millisecond)
		tc.o.Allow, tc.o.Pause = []string{server.URL}, time.Millisecond
		c, err := New(tc.o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Download(t.Context(), server.URL, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, s)
		if !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), tc.want) || requests.Load() < 2 || Remedy(err) == "" {
			t.Errorf("%s: %v after %d requests, want %q after some", name, err, requests.Load(), tc.want)
		}
		_ = s.Close()
	}
}

// TestStalled resumes what stands still.
func TestStalled(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", "bytes 4-9/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, digits[4:])
			return
		}
		_, _ = io.WriteString(w, digits[:4])
		w.(http.Flusher).Flush()
		<-hang
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	c, err := New(Options{Allow: []string{server.URL}, Idle: 200 * time.Millisecond, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got, resumed, notes, err := patiently(t, c, server.URL); err != nil || got != digits || resumed != 1 || !strings.Contains(notes[0], errIdle.Error()) {
		t.Errorf("%q, resumed %d times, %v, notes %q", got, resumed, err, notes)
	}
}

// TestPauseEnds with what the transfer is for, and when the stream is closed.
func TestPauseEnds(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Allow: []string{"http://127.0.0.1"}, Pause: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s := &series{answers: []string{first(whole)}}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	stream, err := c.Download(ctx, s.serve(t), func(string) { cancel(stop) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(stream); !errors.Is(err, stop) {
		t.Errorf("a stream reads %v, want %v", err, stop)
	}
	_ = stream.Close()
	paused := make(chan struct{})
	if stream, err = c.Download(t.Context(), (&series{answers: []string{first(whole)}}).serve(t), func(string) { close(paused) }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { _, err := io.ReadAll(stream); ended <- err }()
	<-paused
	_ = stream.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a closed stream reads %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "+7": 0, "7.5": 0, " 7": 0, "soon": 0,
		"99999999999999999999": 0, "9999999999999": maxDelay,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0, "Fri, 02 Jan 9999 03:04:35 GMT": maxDelay,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", text, got, want)
		}
	}
}
