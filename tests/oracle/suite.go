package oracle

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// SoundIn fails the test unless e2fsck of the Debian release suite finds nothing
// wrong with any ext file system on disk: this node's e2fsck may not know all
// features, or pass over damage that a newer one sees.
func SoundIn(t testing.TB, suite, disk string) {
	t.Helper()
	out, err := exec.Command("../images/tools.sh", suite, "e2fsprogs").Output()
	if err != nil {
		t.Fatalf("unpacking e2fsprogs of %s: %v", suite, err)
	}
	root := strings.TrimSpace(string(out))
	e2fsck := []string{
		"--library-path", filepath.Join(root, "usr/lib/x86_64-linux-gnu"), filepath.Join(root, "usr/sbin/e2fsck"), "-fn",
	}
	_, parts := ReadTable(t, disk)
	checked := 0
	for n, p := range parts {
		withLoop(t, disk, p, func(dev string) {
			if !strings.HasPrefix(fsType(dev), "ext") {
				return
			}
			checked++
			cmd := exec.Command(filepath.Join(root, "usr/lib64/ld-linux-x86-64.so.2"), append(e2fsck, dev)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("e2fsck of %s on partition %d of %s: %v\n%s", suite, n, disk, err, out)
			}
		})
	}
	if checked == 0 {
		t.Errorf("%s has no ext file system that e2fsck could check", disk)
	}
}
