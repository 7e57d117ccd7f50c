package vm

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// imageServer serves an image well and badly, and a configuration once.
type imageServer struct {
	*httptest.Server
	config, images atomic.Int32 // requests
}

// allowed returns the definition's variant with a permission to reach the server.
func serveImage(t *testing.T, j *job) *imageServer {
	t.Helper()
	s := new(imageServer)
	mux := http.NewServeMux()
	mux.HandleFunc("/config", func(w http.ResponseWriter, r *http.Request) {
		if s.config.Add(1) > 1 || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"IMG_ID": "%s/image?token=%s", "img_format": "diskdump", "img_passwd": "%s", "config_url": "http://192.0.2.1/",
			"img_properties": {"users": "root"}, "img_personality": [{"path": "/etc/motd", "contents": "aGVsbG8K", "mode": 420}]}`, s.URL, canary, canary)
	})
	send := func(w http.ResponseWriter, n int64) {
		f, err := os.Open(j.image)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close() //nolint:errcheck // only read
		_, _ = io.CopyN(w, f, n)
	}
	size := oracle.Size(t, j.image)
	mux.HandleFunc("/image", func(w http.ResponseWriter, _ *http.Request) { // of unknown length
		s.images.Add(1)
		w.(http.Flusher).Flush()
		send(w, size)
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		send(w, size/2+512)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) { // as HTTP/1.0 does, which a broken connection looks like
		w.Header().Set("Transfer-Encoding", "identity")
		send(w, size/2)
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(300*images.MiB)))
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		send(w, size)
		for b := make([]byte, 1<<20); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// allow lets the instances of d reach the server on this machine.
func (s *imageServer) allow(t *testing.T, j *job) {
	t.Helper()
	harness.File(t, filepath.Join(j.dir, "root/etc/ganeti/snf-image/variants"), "default.conf", "IMG_FORMAT=diskdump\nALLOW_URL="+s.URL+"\n")
}

// TestGanetiFetch creates an instance of what a URL says, which answers once, and
// of an image by another, whose length is not known.
func TestGanetiFetch(t *testing.T) {
	j, d := newInstance(t)
	s := serveImage(t, j)
	s.allow(t, j)
	env := gnt(j.disk, map[string]string{"OSP_CONFIG_URL": s.URL + "/config?token=" + canary, "OSP_IMG_ID": "gone"})
	// What cannot work is not a reason to ask.
	env["DISK_0_PATH"] = filepath.Join(j.dir, "gone")
	d.Call(t, "create", env).Fails(t, 4, "gone: no such file or directory")
	env["DISK_0_PATH"] = j.disk
	if s.config.Load() != 0 {
		t.Error("the configuration was fetched for a disk that is not there")
	}
	out := d.Call(t, "create", env).OK(t)
	j.done()
	checkLog(t, out)
	for file, want := range map[string]string{"/etc/hostname": "inst1.gnt.test\n", "/etc/motd": "hello\n"} {
		if got := oracle.ReadFile(t, j.disk, 1, file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/shadow"); !strings.HasPrefix(got, "root:$6$") {
		t.Errorf("/etc/shadow has no password for root:\n%s", got)
	}
	if s.config.Load() != 1 || s.images.Load() != 1 {
		t.Errorf("%d requests for the configuration and %d for the image, want one each", s.config.Load(), s.images.Load())
	}
	if !strings.Contains(out.Stderr, s.URL+"/image?***") {
		t.Errorf("the log does not name the image:\n%s", out.Stderr)
	}
	// The second time the server does not know the instance any more.
	before := oracle.Digest(t, j.disk, 0, -1)
	out = d.Call(t, "create", env).Fails(t, 2, `fetching the parameters of config_url, on `+s.URL+`/config\?\*\*\*: the server answered 404`)
	checkLog(t, out)
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("a create without parameters changed the disk")
	}
}

// TestGanetiFetchFails gets images that are none, and does not ask for those that
// it may not have.
func TestGanetiFetchFails(t *testing.T) {
	j, d := newInstance(t)
	s := serveImage(t, j)
	stale(t, j.disk, 256)
	refused := func(image string, code int, want string) {
		t.Helper()
		before := oracle.Digest(t, j.disk, 0, -1)
		checkLog(t, d.Call(t, "create", gnt(j.disk, osp(map[string]string{"OSP_IMG_ID": image}))).Fails(t, code, want))
		if oracle.Digest(t, j.disk, 0, -1) != before {
			t.Errorf("%s: the disk was changed", image)
		}
	}
	refused(s.URL+"/image", 2, `img_id: the URL is refused: it leads to a loopback .*ALLOW_URL`)
	s.allow(t, j)
	refused(s.URL+"/none", 3, `fetching the image, on `+s.URL+`/none: the server answered 404 Not Found; check img_id`)
	refused(s.URL+"/long", 4, `it has 268435456 bytes, the image needs 314572800`)
	for path, tc := range map[string]struct {
		code int
		want string
	}{
		"/broken":  {3, `fetching the image, on ` + s.URL + `/broken: the transfer broke off before its end`},
		"/cut":     {3, `it is cut short: there are \d+ bytes, and by its partition table at least \d+; fetch or make the image again`},
		"/endless": {4, `the disk is too small: it has 268435456 bytes and the image goes on; use a larger disk`},
	} {
		checkLog(t, d.Call(t, "create", gnt(j.disk, osp(map[string]string{"OSP_IMG_ID": s.URL + path}))).Fails(t, tc.code, tc.want))
		j.undone()
	}
	if s.images.Load() != 0 {
		t.Errorf("an image was asked for that was not allowed")
	}
}

// TestSlowServer looks at a deployment whose image drips: it holds no helper, no
// memory of one and no place, and ends.
func TestSlowServer(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	dripping := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, images.MiB))
		for {
			if _, err := w.Write([]byte{0}); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case dripping <- struct{}{}:
			case <-time.After(20 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	in := site.With(t, "ALLOW_URL="+server.URL, "TRANSFER_TIMEOUT=6", "TRANSFER_MIN_RATE=0")
	p := in.Start(t, "deploy", "--image", server.URL+"/image?token="+canary, "--disk", j.disk, "--size", "256M", "--name", "web1.example.org")
	<-dripping
	child := func(name string) bool { return len(harness.Children(p.PID(), name)) > 0 }
	p.Until(time.Minute, "the copy to begin", func() bool { return child("snf-image-worker") })
	time.Sleep(2 * time.Second) // in which a helper would have started
	if child("qemu-system") {
		t.Error("a helper runs while the image drips")
	}
	if places, _ := filepath.Glob(fmt.Sprintf("/run/snf-image/helper-%d-*", p.PID())); len(places) > 0 {
		t.Errorf("it holds the place %v while the image drips", places)
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID()))
	for _, d := range descriptors {
		if to, _ := os.Readlink(d); strings.Contains(to, "memfd:vmlinux") || strings.Contains(to, "memfd:initramfs") {
			t.Errorf("it holds %s while the image drips", to)
		}
	}
	checkLog(t, p.Wait().Fails(t, 3, `fetching the image, on .*/image\?\*\*\*: the transfer takes too long: it is not done after 6s; name a faster server, or raise TRANSFER_TIMEOUT`))
	j.undone()
	// Half of the limit is the first window in which the rate counts.
	in = site.With(t, "ALLOW_URL="+server.URL, "TRANSFER_TIMEOUT=8", "TRANSFER_MIN_RATE=1024")
	out := in.Run(t, "deploy", "--image", server.URL+"/image?token="+canary, "--disk", j.disk, "--size", "256M", "--name", "web1.example.org")
	checkLog(t, out.Fails(t, 3, `fetching the image, on .*/image\?\*\*\*: the transfer takes too long: the server sent \d+ bytes in 4\S*s, and 1048576 a second are the least; `+
		`name a faster server, or raise TRANSFER_TIMEOUT or lower TRANSFER_MIN_RATE`))
	j.undone()
}
