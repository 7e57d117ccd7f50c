package worker

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
)

// Limits of the worker process.
const (
	maxFiles   = 64
	maxThreads = 256     // of its user, which is this worker's alone
	maxAddress = 8 << 30 // bytes; the Go runtime reserves more than it uses
	maxMemory  = 1 << 30 // bytes, with its page cache
)

// confinement describes the worker but for its pipes. It is this program without
// anything of the node but descriptors: 3 to 7 are those of the job. The disk may be a file,
// and so is what it keeps meanwhile, which may be longer than the disk by some tables.
func confinement(j Job) confine.Child {
	c := confine.Child{
		Args: []string{Name}, Files: []*os.File{j.From, j.To, j.Head, j.Tail, j.Spool},
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Interrupt:  syscall.SIGTERM, Grace: grace, Bounds: &confine.Bounds{Memory: maxMemory + kept(j.To, j.Spool), Processes: maxThreads},
		Stage: confine.Stage{
			Root: confine.OwnRoot(), ReadOnly: true, Restricts: true,
			Limits: []confine.Limit{
				{Resource: unix.RLIMIT_CORE, Max: 0},
				{Resource: unix.RLIMIT_NOFILE, Max: maxFiles},
				{Resource: unix.RLIMIT_MEMLOCK, Max: 0},
				{Resource: unix.RLIMIT_AS, Max: maxAddress},
			},
		},
	}
	if j.Action != Export { // which writes to what its caller gave it
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_FSIZE, Max: 2*uint64(j.DiskSize) + 1<<30})
	}
	if j.UID != 0 && os.Geteuid() == 0 {
		c.User = &syscall.Credential{Uid: j.UID, Gid: j.GID}
		c.Stage.Limits = append(c.Stage.Limits, confine.Limit{Resource: unix.RLIMIT_NPROC, Max: maxThreads})
	}
	return c
}

// kept returns how many bytes the worker may write to files that are in memory, which counts
// as its own: as many as these file systems (tmpfs) have room for.
func kept(files ...*os.File) (n uint64) {
	seen := map[unix.Fsid]bool{}
	for _, f := range files {
		var st unix.Statfs_t
		if f == nil || unix.Fstatfs(int(f.Fd()), &st) != nil || st.Type != unix.TMPFS_MAGIC && st.Type != unix.RAMFS_MAGIC || seen[st.Fsid] {
			continue
		}
		seen[st.Fsid] = true
		n += st.Bavail * uint64(st.Bsize)
	}
	return n
}

// calls are the system calls of the worker: what the Go runtime makes, and reading and
// writing of descriptors. Both architectures we build for have them by these names.
var calls = confine.Calls{
	Allowed: []string{
		// Threads, memory and signals of the process itself.
		"exit", "exit_group", "futex", "getpid", "gettid", "madvise", "mincore", "munmap", "restart_syscall", "rseq",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "sigaltstack",
		// Time, and what it reads of itself.
		"clock_gettime", "clock_nanosleep", "getrandom", "getrlimit", "nanosleep", "prlimit64",
		// Descriptors it has.
		"close", "copy_file_range", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2", "fadvise64", "fallocate",
		"fcntl", "fdatasync", "fstat", "fstatfs", "fsync", "ftruncate", "io_destroy", "io_getevents", "io_setup", "io_submit",
		"lseek", "pipe2", "pread64", "pwrite64", "read", "readv", "sendfile", "splice", "sync_file_range", "write", "writev",
		// Of a socket: the disk by URI is one, and a stream may be.
		"getpeername", "getsockname", "getsockopt", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
	},
	Refused: []string{"openat", "readlinkat", "uname"}, // time zones and the like
	Ioctls:  []uint64{unix.BLKSSZGET, unix.BLKZEROOUT, unix.FICLONERANGE},
}
