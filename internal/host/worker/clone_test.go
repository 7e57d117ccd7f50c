package worker

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/target"
)

// TestClone writes to the file system the image is on, which can share blocks: the
// data takes no room a second time, and neither file changes with the other.
func TestClone(t *testing.T) {
	t.Parallel()
	dir := xfs(t)
	want := noise(7, 64<<20+512*3)
	image, disk := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := os.WriteFile(image, want, 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 80 << 20
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, size); err != nil {
		t.Fatal(err)
	}
	before := used(t, dir)
	r := open(t, image, disk)
	res, err := r.write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Digest != blockDigest(want) || !blank(t, disk) {
		t.Errorf("digest %s, want %s; ends zero: %v", res.Digest, blockDigest(want), blank(t, disk))
	}
	if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
		t.Fatal(err)
	}
	compare(t, readDisk(t, disk), behind(want, size))
	compare(t, readDisk(t, image), want)
	if took := used(t, dir) - before; took > 16<<20 {
		t.Errorf("the disk takes %d bytes more, want the image's blocks shared", took)
	}
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(noise(8, 1<<20), 10<<20); err != nil {
		t.Fatal(err)
	}
	compare(t, readDisk(t, image), want)
}

// xfs mounts a new file system until the end of the test.
func xfs(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fs")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 400<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.xfs", "-q", "-m", "reflink=1", file).CombinedOutput(); err != nil {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("%v\n%s", err, out)
	}
	dev, dir := loop(t, file), t.TempDir()
	if err := unix.Mount(dev, dir, "xfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// used returns the bytes that are taken on the file system at dir.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	unix.Sync()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}
