package worker

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKeptInMemory: what the worker writes to a tmpfs counts as its memory, and does not take
// away of it.
func TestKeptInMemory(t *testing.T) {
	t.Parallel()
	var files []*os.File
	for _, dir := range []string{t.TempDir(), "/dev/shm", "/dev/shm"} {
		f, err := os.CreateTemp(dir, "snf-image-test")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil {
		t.Fatal(err)
	}
	const some = 64 << 20 // others write there, too
	want := st.Blocks * uint64(st.Bsize)
	if got := confinement(Job{To: files[1], Spool: files[2]}).Bounds.Memory; got > maxMemory+want || got < maxMemory+min(want, st.Bavail*uint64(st.Bsize))-some {
		t.Errorf("with disk and spool in one tmpfs the limit is %d, want about %d", got, maxMemory+want)
	}
	var on unix.Statfs_t
	if err := unix.Fstatfs(int(files[0].Fd()), &on); err != nil {
		t.Fatal(err)
	}
	if got := confinement(Job{To: files[0]}).Bounds.Memory; on.Type != unix.TMPFS_MAGIC && got != maxMemory {
		t.Errorf("with a disk on a disk the limit is %d, want %d", got, maxMemory)
	}
}
