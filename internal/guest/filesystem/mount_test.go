package filesystem

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnmount unmounts what is mounted on a directory and below it, also by names that
// the kernel escapes, and nothing beside it.
func TestUnmount(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	top := t.TempDir()
	dir, beside := filepath.Join(top, "target"), filepath.Join(top, "targets")
	points := []string{dir, filepath.Join(dir, "a b\tc\\"), filepath.Join(dir, "a b\tc\\", "no\u00a0break\r\v#"), beside}
	for _, p := range points {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", p, "tmpfs", flags, "size=1m"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(beside, 0) })
	if err := Unmount(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("below %s there is %v (%v)", dir, left, err)
	}
	var up, own unix.Stat_t
	if unix.Stat(top, &up) != nil || unix.Stat(beside, &own) != nil || up.Dev == own.Dev {
		t.Error("what is mounted beside it is gone")
	}
}
