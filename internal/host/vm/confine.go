package vm

import (
	"os"
	"time"

	"snf-image/internal/host/confine"

	"golang.org/x/sys/unix"
)

// namespaces are those QEMU gets: it leaves the node's network and IPC objects, and
// sees no process but itself.
const namespaces = unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// script is what a QEMU that is a script does without. It may be anything: it keeps the
// node's files, and may start programs.
const script = "pid namespace, root of its own, landlock and seccomp filter (KVM names a script)"

// confinement describes QEMU but for its arguments.
func confinement(cfg Config) confine.Child {
	c := confine.Child{
		Path: cfg.QEMU, User: cfg.User, Grace: time.Second, Namespaces: namespaces,
		Bounds: &confine.Bounds{Memory: uint64(cfg.MemoryMiB)<<20 + overhead, Processes: maxThreads},
		Env:    []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"},
		Stage: confine.Stage{Limits: []confine.Limit{
			{Resource: unix.RLIMIT_CORE, Max: 0},
			{Resource: unix.RLIMIT_NOFILE, Max: 256},
			{Resource: unix.RLIMIT_AS, Max: uint64(cfg.MemoryMiB)<<20 + overhead},
		}},
	}
	if c.Stage.Root = confine.RootFor(cfg.QEMU, firmware...); c.Stage.Root != nil {
		c.Stage.Root.Proc = true // the kernel is opened as a descriptor there
		c.Stage.ReadOnly, c.Stage.Filter = true, true
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_FSIZE, Max: largest(cfg.Disks)})
		if cfg.Accelerator == KVM {
			c.Stage.Root.Devices = []string{kvmDevice}
		}
	} else {
		c.Namespaces &^= unix.CLONE_NEWPID
	}
	if cfg.User != nil {
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_NPROC, Max: maxThreads})
	}
	return c
}

// firmware are the directories of QEMU's firmware, beside that of the program.
var firmware = []string{"share/qemu", "share/seabios"}

// largest is the size of the largest disk that is a file, in bytes. No file of QEMU's grows.
func largest(disks []Disk) uint64 {
	var most int64
	for _, d := range disks {
		if d.File == nil {
			continue
		}
		if info, err := d.File.Stat(); err == nil {
			most = max(most, info.Size())
		}
	}
	return uint64(most)
}

// Layers names what confines QEMU, for the report.
func (m *Machine) Layers() []string {
	return append([]string{"seccomp sandbox", "sealed kernel", "no network card"}, m.cmd.Layers...)
}

// Missing names the layers that this node refused.
func (m *Machine) Missing() []string {
	if m.script {
		return append([]string{script}, m.cmd.Missing...)
	}
	return m.cmd.Missing
}

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
