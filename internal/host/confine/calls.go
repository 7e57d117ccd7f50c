package confine

import (
	"fmt"
	"maps"
	"os"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// Calls are system calls that a process may make, besides those that need a condition.
// All others end it, but for the refused ones, which have no effect.
type Calls struct {
	Allowed []string
	// Refused fail with EPERM: what a library may try, and does without.
	Refused []string
	// Ioctls are requests of ioctl(2).
	Ioctls []uint64
}

// prSetVMA is the prctl(2) option by which the Go runtime names memory.
const prSetVMA = 0x53564d41

// Restrict keeps all threads of this process to c. It is for a program that is written for it
// and has not met anything untrusted yet. A thread may be made, a process not; no
// memory becomes executable; signals go to this process alone.
func (c Calls) Restrict() error {
	only := func(name string, argument uint32, op seccomp.Operation, value uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: op, Value: value}}}
	}
	conditions := []seccomp.NameWithConditions{
		only("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD),
		only("mmap", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
		only("mprotect", 2, seccomp.BitsNotSet, unix.PROT_EXEC),
		only("tgkill", 0, seccomp.Equal, uint64(os.Getpid())),
		only("prctl", 0, seccomp.Equal, prSetVMA),
	}
	for _, request := range c.Ioctls {
		conditions = append(conditions, only("ioctl", 1, seccomp.Equal, request))
	}
	return load(seccomp.FilterFlagTSync, seccomp.Policy{
		DefaultAction: seccomp.ActionKillProcess,
		Syscalls: []seccomp.SyscallGroup{
			{Names: c.Allowed, NamesWithCondtions: conditions, Action: seccomp.ActionAllow},
			{Names: c.Refused, Action: seccomp.ActionErrno},
			{Names: absent, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
		},
	})
}

// HasFilters reports whether this kernel filters system calls, so that Restrict can work.
func HasFilters() bool { return seccomp.Supported() }

// needless are system calls that no program we start needs, to change the node or to look
// into another process. They fail with EPERM.
var needless = []string{
	"acct", "add_key", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module", "fanotify_init", "finit_module",
	"fsconfig", "fsmount", "fsopen", "fspick", "init_module", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
	"mknodat", "mount", "mount_setattr", "move_mount", "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
	"pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "quotactl_fd", "reboot", "request_key",
	"setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount2", "unshare", "userfaultfd", "vhangup",
	// Of x86 alone.
	"ioperm", "iopl", "mknod", "modify_ldt", "uselib", "ustat", "_sysctl",
}

// absent are system calls that are not there. Libraries do without, where EPERM would be an
// error to them.
var absent = []string{"clone3", "io_uring_enter", "io_uring_register", "io_uring_setup"}

// marking are system calls that change what a file is, not what is in it. Landlock knows nothing
// of them.
var marking = []string{
	"fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fremovexattr", "fsetxattr", "lremovexattr", "lsetxattr",
	"removexattr", "setxattr", "utimensat",
	"chmod", "chown", "futimesat", "lchown", "utime", "utimes", // of x86 alone
}

// forking are the system calls that make a process and nothing else.
var forking = []string{"fork", "vfork"}

// calling make a socket and connect it. Listening on one that was handed over stays.
var calling = []string{"bind", "connect", "socket"}

// refused are the calls that fail for a program with this Stage.
func (s Stage) refused(offline bool) []string {
	all := slices.Concat(needless, marking, forking, s.Refused)
	if offline {
		all = append(all, calling...)
	}
	return all
}

// filter keeps the calling thread and what it becomes from the needless system calls, and
// from making processes. What is allowed is listed, so that calls of another architecture
// (int 0x80 on x86) and those that nobody knows yet are not.
func (s Stage) filter(offline bool) error {
	here, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	conditional := []string{"clone"}
	var allowed []string
	for _, name := range slices.Sorted(maps.Keys(here.SyscallNames)) {
		if !slices.Contains(slices.Concat(s.refused(offline), absent, conditional), name) {
			allowed = append(allowed, name)
		}
	}
	return load(0, seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Names: absent, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
			{
				Names: allowed, Action: seccomp.ActionAllow,
				NamesWithCondtions: []seccomp.NameWithConditions{{
					Name: "clone", Conditions: seccomp.ArgumentConditions{{Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}},
				}},
			},
		},
	})
}

func load(flag seccomp.FilterFlag, policy seccomp.Policy) error {
	if err := seccomp.LoadFilter(seccomp.Filter{Flag: flag, Policy: policy}); err != nil {
		return fmt.Errorf("filtering system calls: %w", err)
	}
	return nil
}
