package source

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/imageref"
	"snf-image/internal/report"
)

// store makes a store behind a symbolic link, with files, links and a directory
// that holds no images.
func store(t *testing.T) (s Store, real string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	real = filepath.Join(top, "images")
	for _, name := range []string{
		"images/debian", "images/plain.diskdump", "images/first-x86_64.diskdump", "images/both", "images/both.diskdump",
		"images/sub/nested", "images/helper/vmlinux", "images/null", "outside/image", "images/a:b",
	} {
		path := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, make([]byte, sector), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"store": "images", "images/inner": "debian", "images/absolute": filepath.Join(real, "debian"),
		"images/out": "../outside/image", "images/outdir": "../outside", "images/dangling": "gone", "images/tohelper": "helper/vmlinux",
	} {
		if err := os.Symlink(target, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(top, "store")
	return Store{Dir: dir, Arch: "x86_64", Never: []string{filepath.Join(dir, "helper"), filepath.Join(dir, "no-cache")}}, real
}

func TestStore(t *testing.T) {
	t.Parallel()
	s, real := store(t)
	for _, tc := range []struct{ id, want, warning string }{
		{"debian", "debian", ""},
		{"/debian", "debian", ""},
		{"local://debian", "debian", ""},
		{"local:///sub/nested", "sub/nested", ""},
		{"file://debian", "debian", ""},
		{"plain", "plain.diskdump", "plain.diskdump is used"},
		{"first", "first-x86_64.diskdump", "first-x86_64.diskdump is used"},
		{"both", "both", ""},
		{"inner", "debian", ""},
		{"absolute", "debian", ""},
		{"local://null", "null", ""},
		{"local://a:b", "a:b", ""},
		{"../images/../debian", "debian", ""},
	} {
		img, warnings, err := s.Open(tc.id, "diskdump")
		if err != nil || img.Name != filepath.Join(real, tc.want) || img.Stored != sector {
			t.Errorf("Open(%q) = %+v, %v, want %q", tc.id, img, err, tc.want)
			continue
		}
		_ = img.Close()
		if text := strings.Join(warnings, "\n"); !strings.Contains(text, tc.warning) || tc.warning == "" && text != "" {
			t.Errorf("Open(%q) warns %q, want %q", tc.id, text, tc.warning)
		}
	}
}

// TestNoStore names the image that was asked for, not only the directory.
func TestNoStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	_, _, err := Store{Dir: dir}.Open("debian", "diskdump")
	if !errors.Is(err, fs.ErrNotExist) { // then a name may be one of the catalogue
		t.Errorf("Open() = %v, want an error of %v", err, fs.ErrNotExist)
	}
	for _, want := range []string{"/none/debian", "IMAGE_DIR", "does not exist", "--image"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() = %v, want %q in it", err, want)
		}
	}
}

func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for _, tc := range []struct{ name, id, cause, remedy string }{
		{"missing", "gone", "not exist", "copied to this node"},
		{"other format", "plain.extdump", "not exist", ""},
		{"link out", "out", "/outside/image", "bind-mount"},
		{"directory link out", "outdir/image", "/outside/image", "IMAGE_DIR"},
		{"dangling link", "dangling", "a link to gone", "restore"},
		{"helper image", "helper/vmlinux", "holds no images", ""},
		{"link to the helper image", "tohelper", "holds no images", ""},
		{"climbing", "../outside/image", "not exist", ""},
		{"Pithos", "pithos://u/c/o", "Pithos", "IMAGE_DIR"},
		{"Pithos map", "pithosmap://x/1", "Pithos", ""},
		{"colon", "a:b", "colon", "local://"},
		{"empty", "", "names no file", ""},
		{"empty local", "local://", "names no file", ""},
		{"only slashes", "local://..//", "names no file", ""},
		{"NUL", "local://a\x00", "names no file", ""},
		{"file as directory", "debian/x", "not a directory", ""},
	} {
		got, _, err := s.Open(tc.id, "diskdump")
		f, ok := errors.AsType[*report.Failure](err)
		if !ok || got != nil || f.Kind != report.Image {
			t.Errorf("%s: Open(%q) = %+v, %v, want a failure", tc.name, tc.id, got, err)
			continue
		}
		if !strings.Contains(f.Cause.Error(), tc.cause) || !strings.Contains(f.Remedy, tc.remedy) {
			t.Errorf("%s: Open(%q) = %v, want %q and %q", tc.name, tc.id, err, tc.cause, tc.remedy)
		}
	}
}

// FuzzStore looks for a way out of the store.
func FuzzStore(f *testing.F) {
	for _, id := range []string{"a", "../a", "local://../../etc/passwd", "sub/../../x", "file:///etc/passwd", "\x00"} {
		f.Add(id, "diskdump")
	}
	dir, err := filepath.EvalSymlinks(f.TempDir())
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600), os.Mkdir(filepath.Join(dir, "store"), 0o755))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "store", "a"), nil, fs.FileMode(0o600))
	}
	if err != nil {
		f.Fatal(err)
	}
	s := Store{Dir: filepath.Join(dir, "store"), Arch: "x86_64"}
	f.Fuzz(func(t *testing.T, id, format string) {
		ref, err := imageref.Parse(id)
		if err != nil {
			return
		}
		f, _, err := s.find(ref, format)
		if err != nil {
			return
		}
		defer f.Close() //nolint:errcheck // only read
		if !strings.HasPrefix(f.Name(), s.Dir+"/") {
			t.Errorf("find(%q, %q) = %q", id, format, f.Name())
		}
	})
}

// TestStoreRace has somebody who may write to the store swap an image for a link to
// a file elsewhere, and back, all the time.
func TestStoreRace(t *testing.T) {
	t.Parallel()
	s, real := store(t)
	secret := bytes.Repeat([]byte("secret"), sector)[:sector]
	image, link := filepath.Join(real, "debian"), filepath.Join(real, "link")
	outside := filepath.Join(filepath.Dir(real), "outside/image")
	if err := errors.Join(os.WriteFile(outside, secret, 0o600), os.Symlink(outside, link)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, image, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer swaps.Wait()
	defer close(stop)
	opened := 0
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		img, _, err := s.Open("debian", "diskdump")
		if err != nil {
			continue // it was the link
		}
		opened++
		b := make([]byte, sector)
		if _, err := img.File.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		_ = img.Close()
		if bytes.Equal(b, secret) {
			t.Fatalf("after %d images a file from outside of the store was opened", opened)
		}
	}
	if opened == 0 {
		t.Error("the image was never opened")
	}
}
