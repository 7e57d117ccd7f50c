package vm

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
	"snf-image/tests/require"
)

// cutting breaks a connection off behind so many bytes of the answer.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 || err != nil {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// flaky serves the file with an entity tag, and breaks the first answers off.
func flaky(file string, cuts int) http.HandlerFunc {
	requests := new(atomic.Int32)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		if int(requests.Add(1)) <= cuts {
			w = &cutting{w, 1500}
		}
		http.ServeFile(w, r, file)
	}
}

// badServer has the image of j and misbehaves, by the path.
func badServer(t *testing.T, j *job, elsewhere string) *httptest.Server {
	t.Helper()
	image, err := os.ReadFile(j.image)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	// begun answers with the first half of the image, and then as rest says.
	begun := func(path string, rest http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"a"`)
			if r.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", fmt.Sprint(len(image)))
				_, _ = (&cutting{w, len(image) / 2}).Write(image)
			}
			rest(w, r)
		})
	}
	begun("/changed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"b"`)
		_, _ = w.Write(image)
	})
	begun("/overlap", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 512-%d/%d", len(image)-1, len(image)))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(image[512:])
	})
	begun("/elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	begun("/gone", http.NotFound)
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(image)))
		_, _ = (&cutting{w, len(image) / 2}).Write(image)
	})
	mux.HandleFunc("/part", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(image)-1, len(image)))
		w.WriteHeader(http.StatusPartialContent)
	})
	mux.HandleFunc("/encoded", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		small, err := os.ReadFile(j.image + ".small")
		_, _ = w.Write(small)
		for b := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(b)
		}
	})
	mux.Handle("/flaky", flaky(j.image+".qcow2.xz", 2))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestBadServer gets images from a server that breaks off, changes its mind or lies. No
// disk boots, and nothing stays of the image but what is on the disk.
func TestBadServer(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(other.Close)
	server := badServer(t, j, strings.Replace(other.URL, "127.0.0.1", "127.0.0.2", 1))
	spool := filepath.Join(j.dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	in := site.With(t, "ALLOW_URL="+server.URL, "SPOOL_DIR="+spool)
	for path, tc := range map[string]struct {
		begun bool // something may have been written
		want  string
	}{
		"/changed":   {true, `the file was changed on the server while it was fetched; start again`},
		"/overlap":   {true, `the server was asked for what follows byte \d+ and sent bytes 512 to \d+; have the server, or the proxy before it, answer requests for ranges`},
		"/elsewhere": {true, `resuming it failed: it redirects to http://127.0.0.2:\d+: the URL is refused: it leads to a loopback .*; name another server, or let ALLOW_URL`},
		"/gone":      {true, `the transfer broke off before its end, after \d+ bytes, and resuming it failed: the server answered 404`},
		"/cut":       {true, `the transfer broke off before its end, after \d+ bytes, and the server does not let it be resumed, for it sent neither an ETag nor .*; start again, or have the server send a strong ETag`},
		"/part":      {false, `the server answered 206 Partial Content; check img_id`},
		"/encoded":   {false, `the server sent it encoded as "gzip", which was not asked for; have the server send the file as it is stored`},
		"/busy":      {false, `the server answered 429 Too Many Requests and asks to be left alone for 1h0m0s, which is longer than 2m0s; start again later`},
	} {
		stale(t, j.disk, 80)
		before := oracle.Digest(t, j.disk, 0, -1)
		start := time.Now()
		out := in.Run(t, "deploy", "--image", server.URL+path+"?token="+canary, "--format", "raw", "--disk", j.disk, "--name", "web1", "--property", "EXCLUDE_ALL_TASKS=yes")
		checkLog(t, out.Fails(t, 3, `fetching the image, on `+server.URL+path+`\?\*\*\*: .*`+tc.want))
		if tc.begun {
			j.undone()
		} else if oracle.Digest(t, j.disk, 0, -1) != before {
			t.Errorf("%s: the disk was changed", path)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s took %s", path, took)
		}
		if left, _ := os.ReadDir(spool); len(left) > 0 {
			t.Errorf("%s: %v is left in SPOOL_DIR", path, left)
		}
	}
	if reached.Load() != 0 {
		t.Error("a server was reached that was not allowed")
	}
}

// TestResumed customizes an image whose transfer breaks off twice, and ends one that never
// ends where its own header says.
func TestResumed(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	pack(t, j)
	server := badServer(t, j, "")
	in := site.With(t, "ALLOW_URL="+server.URL, "SPOOL_DIR="+j.dir)
	b, err := os.ReadFile(j.image + ".qcow2.xz")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(j.dir, "report.json")
	out := in.Run(t, "deploy", "--image", fmt.Sprintf("%s/flaky#sha256=%x", server.URL, sha256.Sum256(b)), "--disk", j.disk, "--size", "256M",
		"--name", "web1.example.org", "--property", "USERS=root", "--report", file).OK(t)
	j.done()
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("/etc/hostname = %q", got)
	}
	if got := readReport(t, file).Image; got.Resumed != 2 || got.Stored != int64(len(b)) || !strings.Contains(out.Stderr, "resumed 2 times") {
		t.Errorf("the report says %+v, the log\n%s", got, out.Stderr)
	}
	before := oracle.Digest(t, j.disk, 0, -1)
	require.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", j.image+".small", "32M")
	in.Run(t, "deploy", "--image", server.URL+"/endless", "--disk", j.disk, "--name", "web1", "--property", "EXCLUDE_ALL_TASKS=yes").
		Fails(t, 3, `it goes on after \d+ bytes, and its disk of 33554432 bytes takes no more; `)
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("the disk was changed by an image that never ended")
	}
}
