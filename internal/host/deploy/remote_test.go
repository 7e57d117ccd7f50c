package deploy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/fetch"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// server is one with an image, and with faults.
type server struct {
	*httptest.Server
	image   []byte
	cut     int64              // each answer to the first cuts requests breaks off behind so many bytes
	cuts    int                // how many
	tag     func(n int) string // the ETag of the answer to request n
	chunked bool               // it does not tell the length of the whole
	length  int64              // it tells this length, when not 0

	mu       sync.Mutex
	requests int
}

// start starts the server.
func (s *server) start(t *testing.T) *server {
	t.Helper()
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n := s.requests
	s.requests++
	s.mu.Unlock()
	w.Header().Set("ETag", `"a"`)
	if s.tag != nil {
		w.Header().Set("ETag", s.tag(n))
	}
	if n < s.cuts {
		w = &cutting{w, s.cut}
	}
	if s.length != 0 {
		w.Header().Set("Content-Length", fmt.Sprint(s.length))
		_, _ = w.Write(s.image)
		return
	}
	if s.chunked && r.Header.Get("Range") == "" {
		_, _ = w.Write(s.image)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.image))
}

// cutting breaks the connection off.
type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left == 0 || err != nil {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// remote is a deployment of what the server has.
func remote(t *testing.T, s *server, format spec.Format) (Request, *bytes.Buffer) {
	t.Helper()
	req, _ := deployment(t)
	client, err := fetch.New(fetch.Options{Allow: []string{s.URL}, Idle: 5 * time.Second, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	req.Fetch, req.Config.SpoolDir, req.Log = client, t.TempDir(), slog.New(slog.NewTextHandler(log, nil))
	req.Spec.Image, req.Spec.Format = s.URL+"/image?canary", format
	return req, log
}

// raw is the image of deployment.
func raw() []byte { return bytes.Repeat([]byte{imageByte}, imageSize) }

// qcow2 returns an image as qcow2.
func qcow2(t *testing.T, image []byte) []byte {
	t.Helper()
	require.Tool(t, "qemu-img")
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, image, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", file, file+".qcow2").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(file + ".qcow2")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestResumedDeployment breaks transfers off: the disk, the digest and the report are
// those of the whole image.
func TestResumedDeployment(t *testing.T) {
	t.Parallel()
	packed := qcow2(t, raw())
	for name, tc := range map[string]struct {
		server *server
		format spec.Format
	}{
		"a dump":                    {&server{image: raw(), cut: 2<<20 + 5, cuts: 2}, spec.DiskDump},
		"qcow2":                     {&server{image: packed, cut: 1<<20 + 5, cuts: 2}, spec.Auto},
		"qcow2 of an unsaid length": {&server{image: packed, cut: 1 << 20, cuts: 2, chunked: true}, spec.Qcow2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, log := remote(t, tc.server.start(t), tc.format)
			req.Spec.Image += fmt.Sprintf("#sha256=%x", sha256.Sum256(tc.server.image))
			owner := new(sink)
			req.Sink = owner
			rep, err := Run(t.Context(), req)
			if err != nil || !rep.Success {
				t.Fatalf("Run() = %v\n%s", err, log)
			}
			fetching := slices.ContainsFunc(owner.texts, func(text string) bool { return strings.HasPrefix(text, "fetching the image: ") })
			if fetching != (tc.format != spec.DiskDump) { // which is written as it comes
				t.Errorf("the owner learns %q", owner.texts)
			}
			want := make([]byte, diskSize)
			copy(want, raw())
			copy(want, marker)
			if got := begins(t, req, diskSize); got != string(want) {
				t.Error("the disk does not hold the image and the marker of the helper")
			}
			if rep.Image.Resumed != 2 || !strings.Contains(log.String(), "resumed 2 times") || strings.Count(log.String(), "trying again in") != 2 || strings.Contains(log.String(), "canary") {
				t.Errorf("the report says %d resumptions, the log\n%s", rep.Image.Resumed, log)
			}
		})
	}
}

// TestMBRForeseen: what an MBR does not reach of a disk is said before the image is copied, once,
// also where nothing is known of the image before it comes.
func TestMBRForeseen(t *testing.T) {
	t.Parallel()
	image := raw()
	copy(image[446:], make([]byte, 64))
	copy(image[446:], []byte{0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8}) // a MiB from the second on
	copy(image[510:], []byte{0x55, 0xaa})
	packed := require.Run(t, string(image), "gzip", "-1")
	for name, tc := range map[string]struct {
		stored []byte
		format spec.Format
		local  bool
	}{
		"a file":             {image, spec.Auto, true},
		"a file in gzip":     {[]byte(packed), spec.Auto, true},
		"a dump by URL":      {image, spec.DiskDump, false},
		"an image by URL":    {image, spec.Auto, false},
		"one in gzip by URL": {[]byte(packed), spec.Auto, false},
		"qcow2 by URL":       {qcow2(t, image), spec.Auto, false},
		"qcow2 in gzip":      {[]byte(require.Run(t, string(qcow2(t, image)), "gzip", "-1")), spec.Auto, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, log := remote(t, (&server{image: tc.stored}).start(t), tc.format)
			if tc.local {
				req.Spec.Image = filepath.Join(t.TempDir(), "image")
				if err := os.WriteFile(req.Spec.Image, tc.stored, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			req.Spec.Disks[0].Size = 3 << 40
			if _, err := Run(t.Context(), req); err != nil {
				t.Fatalf("Run() = %v\n%s", err, log)
			}
			if n := strings.Count(log.String(), "reaches only the first 2 TiB of a disk: 1.0 TiB at the end of "+req.Spec.Disks[0].Path); n != 1 {
				t.Errorf("it is said %d times\n%s", n, log)
			}
		})
	}
}

// TestBrokenDeployment gets transfers that cannot be whole: nothing boots, and nothing
// stays in SPOOL_DIR.
func TestBrokenDeployment(t *testing.T) {
	t.Parallel()
	packed := qcow2(t, raw())
	changing := func(n int) string { return fmt.Sprintf(`"%d"`, n) }
	endless := append(packed, make([]byte, 80<<20)...)
	for name, tc := range map[string]struct {
		server *server
		format spec.Format
		digest string
		want   string
	}{
		"changed":             {&server{image: raw(), cut: 2 << 20, cuts: 1, tag: changing}, spec.DiskDump, "", "the file was changed on the server while it was fetched; start again"},
		"changed at the end":  {&server{image: raw(), cut: 3<<20 - 1, cuts: 1, tag: changing}, spec.DiskDump, "", "the file was changed"},
		"changed while kept":  {&server{image: packed, cut: 1 << 20, cuts: 1, tag: changing}, spec.Auto, "", "the file was changed"},
		"not to be resumed":   {&server{image: raw(), cut: 2 << 20, cuts: 1, tag: func(int) string { return `W/"a"` }}, spec.DiskDump, "", "broke off before its end, after 2097152 bytes, and the server does not let it be resumed"},
		"another digest":      {&server{image: raw(), cut: 2 << 20, cuts: 1}, spec.DiskDump, strings.Repeat("00", 32), "its digest is not the one that was given: sha256 is "},
		"endless":             {&server{image: endless, chunked: true}, spec.Auto, "", "it goes on after"},
		"longer than it says": {&server{image: endless}, spec.Auto, "", "takes at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, log := remote(t, tc.server.start(t), tc.format)
			if tc.digest != "" {
				req.Spec.Image += "#sha256=" + tc.digest
			}
			rep, err := Run(t.Context(), req)
			if err == nil || rep.Success || !strings.Contains(err.Error(), tc.want) || report.KindOf(err) != report.Image || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "canary") {
				t.Errorf("Run() = %v of kind %s, want %q", err, report.KindOf(err), tc.want)
			}
			if b, err := os.ReadFile(req.Spec.Disks[0].Path); err == nil && strings.Trim(string(b[:spec.EndSize]), "\x00") != "" {
				t.Errorf("the disk has a beginning\n%s", log)
			}
			if left, _ := os.ReadDir(req.Config.SpoolDir); len(left) > 0 {
				t.Errorf("%v is left in SPOOL_DIR", left)
			}
		})
	}
}

// TestNoRoomToKeep asks for an image that has to be kept and is longer than there is room:
// that is found out before it comes.
func TestNoRoomToKeep(t *testing.T) {
	t.Parallel()
	require.Tool(t, "qemu-img")
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	length := int64(st.Blocks)*st.Bsize + 1<<30
	file := filepath.Join(dir, "image")
	require.Run(t, "", "qemu-img", "create", "-q", "-f", "qcow2", file, fmt.Sprint(length>>9<<9))
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	image = append(image, make([]byte, 32<<20)...) // more than is read ahead, or it breaks off first
	req, _ := remote(t, (&server{image: image, length: length}).start(t), spec.Auto)
	req.Spec.Disks[0].Size = length + 1<<30
	_, err = Run(t.Context(), req)
	if err == nil || report.KindOf(err) != report.Node || !strings.Contains(err.Error(), fmt.Sprintf("too little room to unpack it: it takes %d bytes, ", length)) ||
		!strings.Contains(err.Error(), "SPOOL_DIR") {
		t.Errorf("Run() = %v of kind %s", err, report.KindOf(err))
	}
}
