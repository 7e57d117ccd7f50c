package jail

import (
	"errors"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// attempt is something a program that was taken over may try. do returns nil when it
// succeeded.
type attempt struct {
	name string
	do   func(node) error
}

// attempts are in the order of the table.
var attempts = []attempt{
	{"read a file that everybody may read", func(n node) error { return open(n.dir+"/everybody", unix.O_RDONLY) }},
	{"read a file of root's", func(n node) error { return open(n.dir+"/secret", unix.O_RDONLY) }},
	{"write a file that everybody may write", func(n node) error { return open(n.dir+"/everybody", unix.O_WRONLY) }},
	{"make a file", func(n node) error { return open(n.dir+"/new", unix.O_WRONLY|unix.O_CREAT) }},
	{"make a device", func(n node) error { return unix.Mknodat(unix.AT_FDCWD, n.dir+"/device", unix.S_IFCHR|0o666, 259) }},
	{"remove a file", func(n node) error { return unix.Unlink(n.dir + "/spare") }},
	{"change the mode of a file", func(n node) error { return unix.Fchmodat(unix.AT_FDCWD, n.dir+"/everybody", 0o666, 0) }},
	{"change the times of a file", func(n node) error { return unix.UtimesNanoAt(unix.AT_FDCWD, n.dir+"/everybody", nil, 0) }},
	{"list the directory /etc", func(node) error { return open("/etc", unix.O_RDONLY|unix.O_DIRECTORY) }},
	{"read the environment of another process", func(n node) error { return open(proc(n.pid)+"/environ", unix.O_RDONLY) }},
	{"execute /bin/sh", execute},
	{"make a process", fork},
	{"leave its session", func(node) error { _, err := unix.Setsid(); return err }},
	{"signal its parent", func(n node) error { return unix.Kill(n.pid, 0) }},
	{"signal everybody", func(node) error { return unix.Kill(-1, 0) }},
	{"trace a process", func(n node) error { return passed(call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(n.pid))) }},
	{"read the memory of another process", func(n node) error { return passed(call(unix.SYS_PROCESS_VM_READV, uintptr(n.pid))) }},
	{"take a descriptor of another process", func(node) error { return passed(call(unix.SYS_PIDFD_GETFD, none)) }},
	{"connect by TCP", func(n node) error {
		return connect(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: n.port})
	}},
	{"connect to a socket by its path", func(n node) error { return connect(unix.AF_UNIX, &unix.SockaddrUnix{Name: n.dir + "/socket"}) }},
	{"connect to an abstract socket", func(n node) error { return connect(unix.AF_UNIX, &unix.SockaddrUnix{Name: n.abstract()}) }},
	{"listen by TCP", listening},
	{"make a netlink socket", func(node) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, 0) }},
	{"make a raw socket", func(node) error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }},
	{"mount", func(n node) error { return unix.Mount("none", n.dir, "tmpfs", 0, "") }},
	{"change the root", func(n node) error { return passed(call(unix.SYS_CHROOT, 0)) }},
	{"make a user namespace", func(node) error { return passed(unix.Unshare(unix.CLONE_NEWUSER)) }},
	{"enter a namespace", func(node) error { return passed(call(unix.SYS_SETNS, none)) }},
	{"gain capabilities", gain},
	{"raise a limit", func(node) error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}) }},
	{"open a file by its handle", func(node) error { return passed(call(unix.SYS_OPEN_BY_HANDLE_AT, none)) }},
	{"load a program into the kernel (bpf)", func(node) error { return passed(call(unix.SYS_BPF, none)) }},
	{"use the kernel's keys", func(node) error { return passed(call(unix.SYS_KEYCTL, none)) }},
	{"handle page faults (userfaultfd)", func(node) error { return passed(call(unix.SYS_USERFAULTFD, none)) }},
	{"make an io_uring", func(node) error { return passed(call(unix.SYS_IO_URING_SETUP, 1)) }},
	{"count events (perf)", func(node) error { return passed(call(unix.SYS_PERF_EVENT_OPEN)) }},
	{"load a kernel module", func(node) error { return passed(call(unix.SYS_FINIT_MODULE, none)) }},
	{"use a file for swap", func(node) error { return passed(call(unix.SYS_SWAPON)) }},
	{"set the clock", func(node) error { return passed(call(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME)) }},
	{"set the host name", func(node) error { return passed(call(unix.SYS_SETHOSTNAME, 0, 1<<20)) }},
	{"call the kernel as a 32-bit program", func(node) error { return otherArchitecture() }},
}

// none is a descriptor there is not.
const none = ^uintptr(0)

// call makes a system call.
func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// passed takes the error of a call without real arguments: unless the call itself was refused,
// it looked at them, and would have worked.
func passed(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS) {
		return err
	}
	return nil
}

func open(name string, flags int) error {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func proc(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// execute becomes the shell; the attempt is known by that.
func execute(node) error {
	return unix.Exec("/bin/sh", []string{"sh", "-c", "echo jail: execute /bin/sh: allowed >&2"}, nil)
}

// fork makes a process that leaves its session, and outlives this one by far.
func fork(node) error {
	runtime.LockOSThread()
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
		for {
			unix.RawSyscall(unix.SYS_PPOLL, 0, 0, 0)
		}
	}
	return nil
}

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func connect(family int, to unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Connect(fd, to), unix.Close(fd))
}

func listening(node) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return errors.Join(unix.Bind(fd, &unix.SockaddrInet4{}), unix.Listen(fd, 1))
}

// gain asks for all capabilities.
func gain(node) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	all := [2]unix.CapUserData{{Effective: ^uint32(0), Permitted: ^uint32(0)}, {Effective: 0x1ff, Permitted: 0x1ff}}
	return unix.Capset(&header, &all[0])
}
