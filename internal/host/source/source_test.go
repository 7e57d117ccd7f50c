package source

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

const sector = 512

func file(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := file(t, 3*sector)
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		img, err := Open(p)
		if err != nil {
			t.Fatalf("Open(%s) = %v", p, err)
		}
		defer img.Close()
		if img.Stored != 3*sector || img.Device || img.Name != p {
			t.Errorf("Open(%s) = %+v", p, img)
		}
		if pos, _ := img.File.Seek(0, 1); pos != 0 {
			t.Errorf("offset is %d after Open, want 0", pos)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "s")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, tc := range map[string]struct{ path, want string }{
		"missing":   {filepath.Join(dir, "nothing"), "no such file or directory; check the name"},
		"directory": {dir, "it is a directory; name an image file"},
		"fifo":      {fifo, "it is a FIFO"},
		"socket":    {socket, "no such device or address; name an image"},
		"character": {"/dev/null", "it is a character device"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img, err := Open(tc.path)
			if err == nil {
				t.Fatalf("Open(%s) = %+v, want an error", tc.path, img)
			}
			if report.KindOf(err) != report.Image || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open(%s) = %v (%s), want %q", tc.path, err, report.KindOf(err), tc.want)
			}
			if n := strings.Count(err.Error(), tc.path); n != 1 {
				t.Errorf("%v: names the path %d times, want once", err, n)
			}
		})
	}
}

func TestOpenBlockDevice(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a loop device")
	}
	out, err := exec.Command("losetup", "--find", "--show", file(t, 1<<20)).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", dev).Run() })
	img, err := Open(dev)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if img.Stored != 1<<20 || !img.Device {
		t.Errorf("Open(%s) = %+v, want a device of 1 MiB", dev, img)
	}
}
