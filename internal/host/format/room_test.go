package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/spec"
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
		if err := roomFor(f, n); (err == nil) != fits || err != nil && !errors.Is(err, ErrRoom) {
			t.Errorf("roomFor(%d) of %d free of %d = %v, want that it fits to be %v", n, free, whole, err, fits)
		}
	}
	k := &keeper{file: f}
	for range 40 {
		if n, err := k.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatalf("Write() = %d, %v", n, err)
		}
	}
}

// TestFullSpool names a file system that fills up.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	b := qcow2Bytes(t)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if _, err := Open(spec.Qcow2, Source{Stream: bytes.NewReader(b), Spool: full}); !errors.Is(err, ErrRoom) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Open() = %v, want %v", err, ErrRoom)
	}
}
