package helper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/report"
)

func TestOneBuildAtATime(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "helper")
	first, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(dir)
	if report.KindOf(err) != report.HelperImage || !strings.Contains(err.Error(), "another build is at work") {
		t.Errorf("OpenStore() = %v", err)
	}
	first.Close()
	second, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestPublishReplacesEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "image"), []byte("of the earlier implementation"))
	if err := os.Mkdir(filepath.Join(dir, tempPrefix+"killed"), 0o700); err != nil {
		t.Fatal(err)
	}
	putImage(t, dir, "1.0", "a")
	m := putImage(t, dir, "1.1", "b")
	want := map[string]bool{manifestName: true, "image": true}
	for _, f := range m.files() {
		want[f.Name] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s is left over", e.Name())
		}
		delete(want, e.Name())
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
}

// TestFailedPublishKeepsTheOldImage ends a build before each of its files is in
// place, by a directory that lies where the file is to go.
func TestFailedPublishKeepsTheOldImage(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"vmlinux", "initramfs", "manifest"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			putImage(t, dir, "1.0", "a")
			s, err := OpenStore(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			temp, err := s.Temp()
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{"vmlinux-0000000000000000": {1}, "initramfs-0000000000000000": {2}}
			for name := range files {
				if strings.HasPrefix(name, kind) {
					occupy(t, filepath.Join(dir, name))
				}
			}
			if kind == "manifest" {
				occupy(t, filepath.Join(temp, manifestName))
			}
			if err := s.Publish(temp, &Manifest{}, files); err == nil {
				t.Fatal("publish() = nil")
			}
			image, err := Open(dir, OpenOptions{Release: "1.0"})
			if err != nil {
				t.Fatal(err)
			}
			image.Close()
		})
	}
}

func occupy(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(name, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
}
