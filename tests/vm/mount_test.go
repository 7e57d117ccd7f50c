package vm

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// debugfs changes the root file system of an image that begins at its first MiB.
func debugfs(t *testing.T, image, command string) {
	t.Helper()
	if out, err := exec.Command("debugfs", "-w", "-R", command, image+"?offset=1048576").CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
}

// TestMountFails has a file system with a feature that the kernel does not know: the last
// line has its words and a remedy.
func TestMountFails(t *testing.T) {
	j := newJob(t, rootMadeBy("ext4", 64, "-b", "4096"))
	debugfs(t, j.image, "feature FEATURE_R31")
	size := fmt.Sprint(oracle.Size(t, j.image))
	site.Run(t, append(j.args("--size", size), "--property", "EXCLUDE_FILESYSTEMRESIZE_TASKS=yes")...).Fails(t, 8,
		`running task MountImage, .*kernel: EXT4-fs \(dm-\d+\): .*unsupported optional features.*; make the file system without the features`)
	j.undone()
}

// TestUnmountableDoesNotGrow has an installed machine whose file system the kernel mounts for
// reading only: its partition is not grown either.
func TestUnmountableDoesNotGrow(t *testing.T) {
	j := newJob(t, rootMadeBy("ext4", 64, "-b", "4096"))
	debugfs(t, j.image, "feature shared_blocks")
	j.disk = j.image
	size, table := oracle.Size(t, j.disk), oracle.Digest(t, j.disk, 0, images.MiB)
	site.Run(t, j.customized("--size", "256M", "--name", "web2")...).Fails(t, 8,
		`kernel: EXT4-fs \(dm-\d+\): .*unsupported optional features.*; make the file system without the features`)
	if oracle.Size(t, j.disk) != size || oracle.Digest(t, j.disk, 0, images.MiB) != table {
		t.Error("the disk or its partition table is not what it was")
	}
}

// TestHybridMBR deploys an image whose partitions have twins in its MBR: that of the one
// that grows grows, too.
func TestHybridMBR(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	if out, err := exec.Command("sgdisk", "-h", "2:3", j.image).CombinedOutput(); err != nil {
		t.Fatalf("sgdisk: %v\n%s", err, out)
	}
	site.Run(t, j.args()...).OK(t)
	j.done()
	_, parts := oracle.ReadTable(t, j.disk)
	out, err := exec.Command("sfdisk", "--label-nested", "dos", "--dump", j.disk).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 3} {
		want := fmt.Sprintf("start=%d,size=%d,", parts[n].Start, parts[n].Size)
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
			return strings.Contains(strings.ReplaceAll(line, " ", ""), want)
		}) {
			t.Errorf("partition %d has no twin %s in\n%s", n, want, out)
		}
	}
}
