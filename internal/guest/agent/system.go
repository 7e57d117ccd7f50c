package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxConsole bounds what the agent writes to the console, in bytes.
const maxConsole = 64 << 10

// target is where the image is mounted.
const target = "/mnt/target"

// mounting is a row of the table of system mounts.
type mounting struct {
	kind, dir, data string
	flags           uintptr
}

// systemMounts are made in this order.
var systemMounts = [...]mounting{
	{"proc", "/proc", "", unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV},
	{"sysfs", "/sys", "", unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV},
	{"devtmpfs", "/dev", "mode=0755", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"devpts", "/dev/pts", "mode=0600,ptmxmode=0666", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"tmpfs", "/run", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	{"tmpfs", "/tmp", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
}

// mountSystem mounts the file systems of the kernel and makes the directories
// of the image.
func mountSystem() error {
	unix.Umask(0o022)
	for _, m := range systemMounts {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		err := unix.Mount(m.kind, m.dir, m.kind, m.flags, m.data)
		if err != nil && !errors.Is(err, unix.EBUSY) { // the kernel may have mounted it
			return fmt.Errorf("mounting %s on %s: %w", m.kind, m.dir, err)
		}
	}
	return os.MkdirAll(target, 0o700)
}

// reap collects orphans. It must not run while a program of ours does, whose
// status it would steal.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// powerOff ends the machine. If the kernel refuses, PID 1 ends, which the
// kernel takes for a reason to panic.
func powerOff(log *slog.Logger) {
	unix.Sync()
	log.Error("powering off", "error", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	panic("the machine does not power off")
}

// bounded drops what goes beyond its limit.
type bounded struct {
	w    io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	if _, err := b.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
