package task

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/spec"
)

// TestResizeMounted has nothing to grow, or nothing that could be grown.
func TestResizeMounted(t *testing.T) {
	t.Parallel()
	needs(t, "mkfs.xfs")
	path := filepath.Join(t.TempDir(), "part")
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Truncate(path, 320<<20))
	if out, err := exec.Command("mkfs.xfs", "-q", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.xfs: %v %s", err, out)
	}
	xfs := filesystem.Volume{Name: "disk-a1", Path: path, Number: 1, Type: "xfs"}
	r := &Run{Resize: "disk-a1", Volumes: []filesystem.Volume{xfs}}
	wants(t, resizeMounted(t.Context(), r), "the file system on partition 1 fills it")
	wants(t, resizeUnmounted(t.Context(), r), "grows while it is mounted")
	check(t, os.Truncate(path, 640<<20))
	wants(t, resizeMounted(t.Context(), r), "")
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0], "fstab does not mount it") {
		t.Errorf("warnings %q, want one of what is not mounted", r.warnings)
	}
	r.Volumes[0].Type = "ext4"
	wants(t, resizeMounted(t.Context(), r), "does not grow while it is mounted")
	r.Resize = ""
	wants(t, resizeMounted(t.Context(), r), "FixPartitionTable did not run")
}

// TestVerifyGrown finds a file system that did not grow though its kernel said so, and one
// that is damaged.
func TestVerifyGrown(t *testing.T) {
	t.Parallel()
	needs(t, "mkfs.xfs")
	path := filepath.Join(t.TempDir(), "part")
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Truncate(path, 320<<20))
	if out, err := exec.Command("mkfs.xfs", "-q", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.xfs: %v %s", err, out)
	}
	verify := func() error {
		r := &Run{grown: []filesystem.Volume{{Name: "disk-a1", Path: path, Number: 1, Type: "xfs"}}}
		return r.verifyGrown(t.Context())
	}
	wants(t, verify(), "")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("damaged"), 512)
	check(t, err)
	if err := verify(); !errors.Is(err, filesystem.ErrUnclean) {
		t.Errorf("verifyGrown of a damaged one = %v, want %v", err, filesystem.ErrUnclean)
	}
	check(t, os.Truncate(path, 640<<20))
	wants(t, verify(), "it has 335544320 bytes, not all of it")
}

// TestNoTable has a disk that is one file system.
func TestNoTable(t *testing.T) {
	t.Parallel()
	r, _ := diskRun(t, oneGPT)
	r.Inspection.Table = "none"
	wants(t, fixPartitionTable(t.Context(), r), "the disk has no partition table")
	if r.Resize != r.Disks[0].whole() {
		t.Errorf("%q is to grow, want the whole disk", r.Resize)
	}
	r.Plan.Swap = &spec.Swap{Partition: 2, MiB: 64}
	wants(t, fixPartitionTable(t.Context(), r), "no partition table for a swap partition")
}
