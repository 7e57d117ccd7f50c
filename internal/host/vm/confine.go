package vm

import (
	"errors"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaces are those QEMU gets: it leaves the node's network and IPC objects.
const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// confinement puts QEMU into a process group of its own (a signal to Ganeti's
// group must not reach it, nor ours Ganeti's) and ties its life to ours. Given
// a user, it also gets namespaces of its own (clone(2) flags).
func confinement(user *syscall.Credential, namespaces uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		attr.Credential = user
		attr.Cloneflags = namespaces
	}
	return attr
}

// Layers names what confines QEMU, for the report.
func (m *Machine) Layers() []string {
	layers := []string{"seccomp sandbox", "sealed kernel", "no network card", "process group", "dies with its parent"}
	if m.limited {
		layers = append(layers, "rlimits")
	}
	if m.cmd.SysProcAttr.Credential != nil {
		layers = append(layers, "uid")
	}
	if m.cmd.SysProcAttr.Cloneflags != 0 {
		layers = append(layers, "network namespace", "ipc namespace", "uts namespace")
	}
	return layers
}

// closeOnExec keeps the descriptors that whoever started this program left open
// (close_range(2)) from QEMU; it gets copies of those it shall have. Linux before
// 5.11 does not know how: one layer of several is missing then.
func closeOnExec() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// overhead is what QEMU may map besides the guest's memory: its own code, the
// translation cache and thread stacks. Measured: 900 MiB with TCG.
const overhead = 2 << 30

// maxThreads counts all threads of the helper's user, which helpers share with
// HELPER_USER. QEMU alone takes 64 for disk requests under load, and aborts when
// it can not have one.
const maxThreads = 4096

// limitResources bounds QEMU before the guest has run and says whether it could:
// root in a container may not limit another user's process (CAP_SYS_RESOURCE).
// It is one layer of several, so QEMU runs without.
func limitResources(pid int, cfg Config) bool {
	var failed error
	set := func(resource int, n uint64) {
		failed = errors.Join(failed, unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil))
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_AS, uint64(cfg.MemoryMiB)<<20+overhead)
	set(unix.RLIMIT_NOFILE, 256)
	if cfg.User != nil {
		set(unix.RLIMIT_NPROC, maxThreads)
	}
	return failed == nil
}

func isBlockDevice(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeDevice != 0 && st.Mode()&os.ModeCharDevice == 0
}
