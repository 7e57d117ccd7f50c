// Package sandbox lets programs that an image or a deployment brings change the mounted
// image and reach nothing else of the helper.
//
// The mounts of the rest of the helper stay as they are: set-id bits and device nodes of
// the image never count, and what is not below its directory cannot be executed from it.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Run calls run with mounts of its own, in which programs below dir can be
// executed but neither set-id bits nor device nodes count, and a program that
// run starts has lost the capabilities to reach the agent. The mounts of
// everybody else stay as they are. When it returns nothing holds the file
// systems any more.
func Run(dir string, run func() error) error {
	return onThread(func() error { return confine(dir, run) })
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

func confine(dir string, run func() error) (err error) {
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
	if err := makeExecutable(dir); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	return run()
}

// makeExecutable takes noexec away from the mounts at and below dir, in the mount
// namespace of this thread. One that is read-only stays so.
func makeExecutable(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return fmt.Errorf("listing mounts: %w", err)
	}
	for _, m := range mounts {
		flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NODEV)
		if slices.Contains(strings.Split(m.Options, ","), "ro") {
			flags |= unix.MS_RDONLY
		}
		if err := unix.Mount("", m.Mountpoint, "", flags, ""); err != nil {
			return fmt.Errorf("making %s executable: %w", m.Mountpoint, err)
		}
	}
	return nil
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
