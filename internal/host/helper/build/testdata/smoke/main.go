// Command smoke is the agent of the boot test: as PID 1 it loads the modules,
// runs the tools once, prints one line for each and powers off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// checks are shell commands and what their output must contain.
var checks = []struct{ script, want string }{
	{"echo ok | sed s/ok/fine/", "fine"},
	{"cat /proc/filesystems", "ext4"},
	{"cat /proc/filesystems", "vfat"},
	{"ls /sys/module", "dm_mod"},
	{"cat /proc/misc", "device-mapper"},
	{"ls /sys/bus/virtio/drivers", "virtio_console"},
	{"ls /sys/bus/virtio/drivers", "virtio_blk"},
	{"e2fsck -V 2>&1", "e2fsck 1."},
	{"resize2fs 2>&1", "resize2fs 1."},
	{"tune2fs 2>&1", "tune2fs 1."},
	{"dumpe2fs -V 2>&1", "dumpe2fs 1."},
	{"debugfs -V 2>&1", "debugfs 1."},
	{"ntfsresize -V 2>&1; ntfs-3g.probe -V 2>&1; lowntfs-3g -V 2>&1", "lowntfs-3g 20"},
	{"ntfsfix -V 2>&1; ntfsinfo -V 2>&1; ntfsrecover -V 2>&1", "ntfsrecover v20"},
	{"hivexsh -h 2>&1", "hivexsh"},
	{"ls /usr/lib/x86_64-linux-gnu/gconv", "UTF-16.so"},
	{"blkid -V", "blkid from"},
	{"mkswap -V", "mkswap from"},
	{"mount -V; umount -V; lsblk -V; findmnt -V", "findmnt from"},
	{"awk 'BEGIN { print 6 * 7 }'", "42"},
	{"chroot --version", "chroot (GNU coreutils)"},
	{"chroot / /bin/sh -c 'id -un; id -gn'", "root\nroot"},
	{"printf 'b\\na\\n' | sort | grep a | tar --version && find /etc -name passwd | xargs wc -l", "/etc/passwd"},
	{"cd /tmp && echo text > f && gzip f && zcat f.gz && tar cf - f.gz | tar tf -", "f.gz"},
	{"cd /tmp && echo a > d1 && echo b > d2; diff d1 d2; cmp d1 d2", "d1 d2 differ"},
	{"cd /tmp && truncate -s 8M s && mkswap -U 01234567-89ab-cdef-0123-456789abcdef s && blkid -p s", "TYPE=\"swap\""},
	{"lvm version 2>&1", "LVM version"},
	{"lvm lvmconfig --validate 2>&1", "configuration valid"},
	{"expr 6 '*' 7; echo | md5sum", "42\n68b329da9893e34099c7d8ad5cb9c940"},
	{"sha256sum /etc/snf-image/contents.json", "contents.json"},
	{"ps; echo | vi -h 2>&1; hostname; which bash", "/bin/bash"},
	{"TERM=linux clear; TERM=xterm-256color stty -a < /dev/console; [ -c /dev/null ] && echo devices", "devices"},
}

func main() {
	if os.Getpid() != 1 {
		os.Exit(1)
	}
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}} {
		report("mount "+m[1], unix.Mount(m[0], m[1], m[0], 0, ""))
	}
	report("modules", loadModules())
	for _, c := range checks {
		cmd := exec.Command("/bin/bash", "-c", c.script)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), c.want) {
			err = fmt.Errorf("%v, output %q", err, out)
		} else {
			err = nil
		}
		report(c.script, err)
	}
	fmt.Println("SMOKE end")
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func report(what string, err error) {
	if err != nil {
		fmt.Printf("SMOKE fail %q: %v\n", what, err)
		return
	}
	fmt.Printf("SMOKE pass %q\n", what)
}

func loadModules() error {
	var lists struct {
		Boot   []string            `json:"boot"`
		Demand map[string][]string `json:"demand"`
	}
	b, err := os.ReadFile("/etc/snf-image/modules.json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &lists); err != nil {
		return err
	}
	for _, p := range append(lists.Boot, lists.Demand["vfat"]...) {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}
