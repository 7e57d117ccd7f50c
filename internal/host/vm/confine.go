package vm

import (
	"os"
	"time"

	"snf-image/internal/host/confine"

	"golang.org/x/sys/unix"
)

// namespaces are those QEMU gets: it leaves the node's network and IPC objects.
const namespaces = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// confinement describes QEMU but for its arguments. With an identity of its own it
// also gets namespaces of its own.
func confinement(cfg Config) confine.Child {
	c := confine.Child{
		Path: cfg.QEMU, User: cfg.User, Grace: time.Second,
		Env: []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"},
		Stage: confine.Stage{Limits: []confine.Limit{
			{Resource: unix.RLIMIT_CORE, Max: 0},
			{Resource: unix.RLIMIT_NOFILE, Max: 256},
			{Resource: unix.RLIMIT_AS, Max: uint64(cfg.MemoryMiB)<<20 + overhead},
		}},
	}
	if cfg.User != nil {
		c.Namespaces = namespaces
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_NPROC, Max: maxThreads})
	}
	return c
}

// Layers names what confines QEMU, for the report.
func (m *Machine) Layers() []string {
	return append([]string{"seccomp sandbox", "sealed kernel", "no network card"}, m.cmd.Layers...)
}

// Missing names the layers that this node refused.
func (m *Machine) Missing() []string { return m.cmd.Missing }

// overhead is what QEMU may map besides the guest's memory: its own code, the
// translation cache and thread stacks. Measured: 900 MiB with TCG.
const overhead = 2 << 30

// maxThreads counts all threads of the helper's user, which helpers share with
// HELPER_USER. QEMU alone takes 64 for disk requests under load, and aborts when
// it cannot have one.
const maxThreads = 4096

func isBlockDevice(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeDevice != 0 && st.Mode()&os.ModeCharDevice == 0
}
