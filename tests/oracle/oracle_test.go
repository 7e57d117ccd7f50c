package oracle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestChanged shows that every kind of difference is seen.
func TestChanged(t *testing.T) {
	t.Parallel()
	changes := map[string]func(dir string) error{
		"! /file":    func(d string) error { return os.WriteFile(d+"/file", []byte("other"), 0o644) },
		"! /mode":    func(d string) error { return os.Chmod(d+"/mode", 0o600) },
		"! /xattr":   func(d string) error { return unix.Lsetxattr(d+"/xattr", "user.a", []byte("2"), 0) },
		"! /link":    func(d string) error { _ = os.Remove(d + "/link"); return os.Symlink("b", d+"/link") },
		"- /gone":    func(d string) error { return os.Remove(d + "/gone") },
		"+ /new":     func(d string) error { return os.Mkdir(d+"/new", 0o755) },
		"! /becomes": func(d string) error { _ = os.Remove(d + "/becomes"); return unix.Mkfifo(d+"/becomes", 0o644) },
	}
	for want, change := range changes {
		t.Run(want[3:], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, name := range []string{"file", "mode", "xattr", "gone", "becomes", "left"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("a", dir+"/link"); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{want}, Changed(before, tree(t, dir))); d != "" {
				t.Errorf("Changed (-want +got):\n%s", d)
			}
		})
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, append(make([]byte, 4096), 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	if !Zero(t, path, 0, 4096) || Zero(t, path, 0, 4097) {
		t.Error("Zero does not tell 4096 zeros from a byte behind them")
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for node, want := range map[string]int{"/d/disk.raw14": 14, "/d/disk.rawp3": 3} {
		if got := number(node, "/d/disk.raw"); got != want {
			t.Errorf("number(%q) = %d, want %d", node, got, want)
		}
	}
}

func tree(t *testing.T, dir string) Tree {
	t.Helper()
	got, err := readTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
