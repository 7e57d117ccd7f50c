package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestSecondDeployment starts another deployment and another customization of
// a disk that one is working on: both fail at once, the first is not harmed.
func TestSecondDeployment(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	first := site.Start(t, j.args(custom("sleep 12")...)...)
	first.Until(2*time.Minute, midTask.name, func() bool { return midTask.come(first, j) })
	for name, args := range map[string][]string{"deploy": j.args(), "customize": j.customized("--name", "web2")} {
		o := site.Run(t, args...).Fails(t, 5, "disk.raw")
		if o.Took > 5*time.Second {
			t.Errorf("%s took %v to be refused", name, o.Took)
		}
	}
	first.Wait().OK(t)
	j.done()
}

// TestDiskOfRunningMachine has the disk in use by QEMU.
func TestDiskOfRunningMachine(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	truncateNew(t, j.disk, 256*images.MiB)
	qemu := exec.Command("qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-accel", "tcg",
		"-drive", "if=virtio,format=raw,file="+j.disk)
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = qemu.Process.Kill(); _ = qemu.Wait() }
	defer stop()
	if !harness.Within(time.Minute, func() bool { return locked(j.disk) }) {
		t.Fatal("QEMU takes no lock on its disk")
	}
	before := oracle.Digest(t, j.disk, 0, -1)
	site.Run(t, j.args()...).Fails(t, 5, "disk.raw")
	site.Run(t, j.customized("--name", "web2")...).Fails(t, 5, "disk.raw")
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("the disk of a running machine changed")
	}
	stop()
	site.Run(t, j.args()...).OK(t)
	j.done()
}

// locked reports whether a process holds a lock on the file.
func locked(path string) bool {
	var st syscall.Stat_t
	locks, err := os.ReadFile("/proc/locks")
	return err == nil && syscall.Stat(path, &st) == nil && strings.Contains(string(locks), fmt.Sprintf(":%d ", st.Ino))
}

// TestMountedDevice refuses a block device that is mounted.
func TestMountedDevice(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	truncateNew(t, j.disk, 256*images.MiB)
	dev := loop(t, j.disk)
	sh(t, "mke2fs", "-q", "-F", dev)
	dir := t.TempDir()
	sh(t, "mount", dev, dir)
	mounted := true
	umount := func() {
		if mounted {
			sh(t, "umount", dir)
		}
		mounted = false
	}
	defer umount()
	harness.File(t, dir, "kept", "kept")
	site.Run(t, "deploy", "--image", j.image, "--disk", dev, "--name", "web1").Fails(t, 5, dev)
	site.Run(t, "customize", "--disk", dev, "--name", "web1").Fails(t, 5, dev)
	umount()
	sh(t, "e2fsck", "-fn", dev)
}

// TestBlockDevice deploys to a loop device that held other data.
func TestBlockDevice(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	backing := filepath.Join(j.dir, "backing")
	stale(t, backing, 256)
	j.disk = loop(t, backing)
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--name", "web1").OK(t)
	oracle.Sound(t, backing)
	if got := oracle.ReadFile(t, backing, 3, "etc/hostname"); got != "web1\n" {
		t.Errorf("host name = %q, want web1", got)
	}
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--name", "web1", "--size", "1G").Fails(t, 2, "size")
}
