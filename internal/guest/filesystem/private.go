package filesystem

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Private calls run with mounts of its own, in which programs below dir can be
// executed but neither set-id bits nor device nodes count, and a program that
// run starts has lost the capabilities to reach the agent. The mounts of
// everybody else stay as they are. When it returns nothing holds the file
// systems any more.
func Private(dir string, run func() error) error {
	return onThread(func() error { return private(dir, run) })
}

// onThread calls run on an operating system thread that nobody else uses, then
// or later: the runtime ends a thread with the goroutine that locked it. Never
// on the main thread, which does not end and is what /proc/self shows.
func onThread(run func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- run()
			return
		}
		done <- onThread(run) // elsewhere, for this thread is held
		runtime.UnlockOSThread()
	}()
	return <-done
}

func private(dir string, run func() error) (err error) {
	before, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	defer func() { _ = before.Close() }()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	// Going back drops the namespace and with it the file systems it held, now
	// and not when the thread ends.
	defer func() { err = errors.Join(err, unix.Setns(int(before.Fd()), unix.CLONE_NEWNS)) }()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, m := range mountsBelow(string(table), dir) {
		if err := unix.Mount("", m.point, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV|m.keep, ""); err != nil {
			return fmt.Errorf("making %s executable: %w", m.point, err)
		}
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	return run()
}

// mountPoint is a line of mountinfo: where, and which flags must stay.
type mountPoint struct {
	point string
	keep  uintptr
}

// mountsBelow returns the mounts at and below dir, proc_pid_mountinfo(5).
func mountsBelow(table, dir string) []mountPoint {
	var out []mountPoint
	for line := range strings.Lines(table) {
		f := strings.FieldsFunc(line, isBlank)
		if len(f) < 6 {
			continue
		}
		point := replaceEscapes(f[4], `\`, 3, 8)
		if point != dir && !strings.HasPrefix(point, strings.TrimSuffix(dir, "/")+"/") {
			continue
		}
		m := mountPoint{point: point}
		if slices.Contains(strings.Split(f[5], ","), "ro") {
			m.keep = unix.MS_RDONLY
		}
		out = append(out, m)
	}
	return out
}

// dropped are capabilities no program from an image needs for changing files,
// and with which it could reach the agent or the kernel.
var dropped = []uintptr{
	unix.CAP_SYS_PTRACE, unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_BOOT,
	unix.CAP_SYS_TIME, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYSLOG, unix.CAP_WAKE_ALARM,
}

// dropCapabilities takes them out of the bounding set of the calling thread,
// so that no program started by it has them.
func dropCapabilities() error {
	for _, c := range dropped {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err != nil && !errors.Is(err, unix.EINVAL) { // a kernel that does not know it
			return fmt.Errorf("dropping capability %d: %w", c, err)
		}
	}
	return nil
}
