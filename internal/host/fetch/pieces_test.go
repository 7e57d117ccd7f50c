package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// striped is a server of a file in pieces.
type striped struct {
	file   []byte
	tag    func(n int32) string
	answer func(w http.ResponseWriter, r *http.Request) bool // to a request for a piece; true if it has answered

	requests, pieces, now, most atomic.Int32
	sent                        atomic.Int64
}

// ServeHTTP implements http.Handler.
func (s *striped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.requests.Add(1)
	w.Header().Set("ETag", `"a"`)
	if s.tag != nil {
		w.Header().Set("ETag", s.tag(n))
	}
	if span := r.Header.Get("Range"); span != "" && !strings.HasSuffix(span, "-") {
		s.pieces.Add(1)
		now := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		time.Sleep(5 * time.Millisecond) // so that others are asked for meanwhile
		if s.answer != nil && s.answer(w, r) {
			return
		}
	}
	http.ServeContent(countedWriter{w, &s.sent}, r, "", time.Time{}, bytes.NewReader(s.file))
}

type countedWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c countedWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// noise is a file of a length that no piece divides.
func noise() []byte {
	b := make([]byte, 8<<20+12345)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	return b
}

// inPieces returns a client that takes every server for slow.
func inPieces(t *testing.T, s *striped) (*Client, string) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := New(Options{Allow: []string{server.URL}, Idle: 5 * time.Second, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c.pieces = pieces{lanes: 4, size: 200 << 10, ahead: 6, skip: 64 << 10, look: 128 << 10, fast: 1 << 60, least: 1 << 20}
	return c, server.URL
}

func TestPieces(t *testing.T) {
	t.Parallel()
	file := noise()
	late := new(atomic.Int32)
	once := func(does func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		var first sync.Once
		return func(w http.ResponseWriter, r *http.Request) (did bool) {
			first.Do(func() { does(w, r); did = true })
			return did
		}
	}
	for name, tc := range map[string]struct {
		server *striped
		pieces bool // it was fetched in pieces to its end
		err    string
	}{
		"in pieces":           {&striped{}, true, ""},
		"a weak tag":          {&striped{tag: func(int32) string { return `W/"a"` }}, false, ""},
		"busy for several":    {&striped{answer: once(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })}, false, ""},
		"refused for several": {&striped{answer: once(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })}, false, ""},
		"a redirect":          {&striped{answer: once(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) })}, false, ""},
		"a piece breaks off":  {&striped{answer: once(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })}, false, ""},
		"a late piece breaks off": {&striped{answer: func(w http.ResponseWriter, r *http.Request) bool {
			if late.Add(1) == 20 { // behind its head, or the request is sent again unseen
				shorter(w, r, file, -5)
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			return false
		}}, true, ""},
		"a shorter piece":       {&striped{answer: once(func(w http.ResponseWriter, r *http.Request) { shorter(w, r, file, -1) })}, false, ""},
		"a longer piece":        {&striped{answer: once(func(w http.ResponseWriter, r *http.Request) { shorter(w, r, file, 1) })}, false, ""},
		"the whole for a piece": {&striped{answer: once(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) })}, false, ""},
		"changed":               {&striped{tag: func(n int32) string { return fmt.Sprintf(`"%d"`, min(n, 8)/8) }}, false, ErrChanged.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.server.file = file
			c, address := inPieces(t, tc.server)
			got, resumed, notes, err := patiently(t, c, address)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || !errors.Is(err, ErrChanged) {
					t.Errorf("%v, want %s", err, tc.err)
				}
				return
			}
			if err != nil || got != string(file) {
				t.Fatalf("%d bytes, %v; notes: %q", len(got), err, notes)
			}
			if tc.pieces && (resumed != map[bool]int{true: 1}[strings.Contains(name, "late")] || tc.server.pieces.Load() < 30 || tc.server.most.Load() < 3 || tc.server.most.Load() > 4+4*int32(resumed)) {
				t.Errorf("resumed %d times, %d pieces, %d at once; notes: %q", resumed, tc.server.pieces.Load(), tc.server.most.Load(), notes)
			}
			if !tc.pieces && resumed != min(1, int(tc.server.pieces.Load())) {
				t.Errorf("resumed %d times, %d pieces; notes: %q", resumed, tc.server.pieces.Load(), notes)
			}
		})
	}
}

// shorter answers with a piece that is longer by some bytes than it should be.
func shorter(w http.ResponseWriter, r *http.Request, file []byte, by int) {
	var from, to int
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	to += 1 + by
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(file)))
	w.Header().Set("Content-Length", fmt.Sprint(to-from))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(file[from:to])
}

// TestPiecesAreBounded stops reading: nothing more is fetched then, and nothing goes on
// when the stream is closed.
func TestPiecesAreBounded(t *testing.T) {
	t.Parallel()
	s := &striped{file: make([]byte, 64<<20)}
	c, address := inPieces(t, s)
	stream, err := c.Download(t.Context(), address, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	before := int64(-1)
	for now := s.sent.Load(); now != before; now = s.sent.Load() {
		before = now
		time.Sleep(50 * time.Millisecond)
	}
	// What the first connection had on its way is lost, which the buffers of the kernel bound.
	if in := int64(s.pieces.Load()) * c.pieces.size; in > 1<<20+int64(c.pieces.ahead+3)*c.pieces.size {
		t.Errorf("%d bytes are fetched in pieces when 1 MiB is read", in)
	}
	_ = stream.Close()
	if _, err := io.ReadAll(stream); err == nil {
		t.Error("a closed stream has an end")
	}
}

// TestFastEnough stays with one connection that is fast.
func TestFastEnough(t *testing.T) {
	t.Parallel()
	s := &striped{file: noise()}
	c, address := inPieces(t, s)
	c.pieces.fast = 1
	if got, _, _, err := patiently(t, c, address); err != nil || got != string(s.file) || s.requests.Load() != 1 {
		t.Errorf("%d bytes, %v, %d requests", len(got), err, s.requests.Load())
	}
}
