package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withLoop calls f with a read-only loop device of partition p of disk.
func withLoop(t testing.TB, disk string, p Partition, f func(dev string)) {
	t.Helper()
	if p.Size == 0 {
		t.Fatalf("%s has no such partition", disk)
	}
	dev := strings.TrimSpace(tool(t, "losetup", "--read-only", "--show", "--find",
		"--offset", fmt.Sprint(p.Start*512), "--sizelimit", fmt.Sprint(p.Size*512), disk))
	defer func() { tool(t, "losetup", "--detach", dev) }()
	f(dev)
}

// Mounted calls f with the directory where partition n of disk, or the whole disk for 0, is
// mounted read-only, its journal left alone.
func Mounted(t testing.TB, disk string, n int, f func(dir string)) {
	t.Helper()
	p := Partition{Size: Size(t, disk) / 512}
	if n > 0 {
		_, parts := ReadTable(t, disk)
		p = parts[n]
	}
	withLoop(t, disk, p, func(dev string) {
		dir := filepath.Join(t.TempDir(), "mnt")
		options := "ro,nosuid,nodev,noexec" + map[string]string{
			"ext3": ",noload", "ext4": ",noload", "xfs": ",norecovery,nouuid", "btrfs": ",rescue=nologreplay", "ntfs": ",norecover",
		}[fsType(dev)]
		tool(t, "mkdir", dir)
		tool(t, "mount", "-t", fsType(dev), "-o", options, dev, dir)
		defer func() { tool(t, "umount", dir) }()
		f(dir)
	})
}

// UUID returns the UUID blkid finds in partition n of disk.
func UUID(t testing.TB, disk string, n int) string {
	t.Helper()
	return Tag(t, disk, n, "UUID")
}

// Tag returns the value of a tag that blkid finds in partition n of disk.
func Tag(t testing.TB, disk string, n int, name string) string {
	t.Helper()
	_, parts := ReadTable(t, disk)
	var value string
	withLoop(t, disk, parts[n], func(dev string) {
		value = strings.TrimSpace(tool(t, "blkid", "-p", "-s", name, "-o", "value", dev))
	})
	return value
}

// ReadFile returns a file of the ext file system in partition n of disk.
func ReadFile(t testing.TB, disk string, n int, name string) string {
	t.Helper()
	var text []byte
	Mounted(t, disk, n, func(dir string) {
		var err error
		if text, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	})
	return string(text)
}
