package room

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRoom leaves a part of a file system to others.
func TestRoom(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	free, whole := int64(st.Bavail)*st.Bsize, int64(st.Blocks)*st.Bsize
	left := min(whole/20, 1<<30)
	for n, fits := range map[int64]bool{0: true, (free - left) / 2: true, free - left/2: false, free + 1<<30: false} {
		err := For(f, n)
		if _, short := errors.AsType[Short](err); (err == nil) != fits || err != nil && !short {
			t.Errorf("For(%d) of %d free of %d = %v, want that it fits to be %v", n, free, whole, err, fits)
		}
	}
	k := &Keeper{File: f}
	for range 40 {
		if n, err := k.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatalf("Write() = %d, %v", n, err)
		}
	}
}
