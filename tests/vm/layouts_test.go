package vm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/machine"
)

// layoutNames are the layouts of relayout.sh.
var layoutNames = []string{"lvm", "btrfs-subvolume", "xfs", "btrfs", "btrfs-snapshot", "usr", "none", "logical", "extlinux"}

// layout returns the path of a Debian of that suite in a layout.
func layout(t *testing.T, suite, name string) string {
	t.Helper()
	print := func(args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("building an image: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	options := []string{"../images/debian.sh", "--esp", "--include", "lvm2"}
	if suite != "bookworm" {
		options = append(options, "--suite", suite)
	}
	return print("../images/relayout.sh", print(options...), name)
}

// bootLayout deploys a layout to a larger disk, boots it and logs in.
func bootLayout(t *testing.T, suite, name string) {
	t.Helper()
	j := &job{t: t, dir: harness.Dir(t), image: layout(t, suite, name)}
	j.disk = filepath.Join(j.dir, "web1.raw")
	format := "auto"
	if name == "extlinux" {
		format = "extdump"
	}
	site.Run(t, "deploy", "--image", j.image, "--format", format, "--disk", j.disk, "--size", "6G", "--name", machineName,
		"--password-file", j.file("pw", password+"\n"), "--property", "USERS=root").OK(t)
	if name != "none" {
		j.done()
	}
	m := machine.Boot(t, machine.Config{Disk: j.disk, Firmware: machine.SeaBIOS, MAC: machineMAC})
	m.Login(t, password)
	out, status := m.Shell(t, ". /etc/os-release && cat /proc/sys/kernel/hostname && echo $VERSION_CODENAME $(($(stat -f -c '%S * %b' /) >> 20)) && "+
		"findmnt -n -o SOURCE,FSTYPE / && [ -z \"$(systemctl --failed --plain --no-legend)\" ]")
	lines := append(strings.Split(out, "\n"), "", "")
	var codename string
	var mib int
	if _, err := fmt.Sscan(lines[1], &codename, &mib); err != nil || status != 0 || lines[0] != machineName || codename != suite || mib < 4000 {
		t.Errorf("inside: exit status %d, %q, want %s, more than 4000 MiB and no failed unit", status, out, machineName)
	}
	source := map[string]string{
		"lvm": "/dev/mapper/sys-root xfs", "btrfs-subvolume": "/dev/vda2[/@rootfs] btrfs", "xfs": "/dev/vda2 xfs",
		"btrfs": "/dev/vda2 btrfs", "btrfs-snapshot": "/dev/vda2[/@/.snapshots/1/snapshot] btrfs",
		"usr": "/dev/vda4 ext4", "none": "/dev/vda ext4", "logical": "/dev/vda5 ext4", "extlinux": "/dev/vda1 ext4",
	}[name]
	if got := strings.Join(strings.Fields(lines[2]), " "); got != source {
		t.Errorf("the root is %q, want %q", got, source)
	}
	m.Stop()
	harness.NothingLeft(t, j.disk)
}

// TestLayoutsBoot boots what no other test boots: XFS on LVM with its own /boot, and a
// subvolume.
func TestLayoutsBoot(t *testing.T) {
	canBootLayouts(t)
	for _, name := range layoutNames[:2] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bootLayout(t, "bookworm", name)
		})
	}
}

// TestTortureLayouts boots every layout of Debian 12 and 13.
func TestTortureLayouts(t *testing.T) {
	canBootLayouts(t)
	suites := []string{"bookworm", "trixie"}
	n := len(layoutNames) * len(suites)
	endure(t, "layouts", setting(t, "SNF_LAYOUTS", n), func(t *testing.T, i int, _ *rand.Rand) {
		bootLayout(t, suites[(i-1)/len(layoutNames)%len(suites)], layoutNames[(i-1)%len(layoutNames)])
	})
}

// canBootLayouts demands what making and booting the layouts takes.
func canBootLayouts(t *testing.T) {
	t.Helper()
	harness.Gate(t, slices.Concat([]string{"mmdebstrap", "lvm", "mkfs.xfs", "mkfs.btrfs", "btrfs", "debugfs"}, needed)...)
}
