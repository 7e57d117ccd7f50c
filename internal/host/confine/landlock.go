package confine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writing are the ways to change something by path (landlock(7)) of the first version of
// Landlock; those that later versions know are added.
const writing = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
	unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
	unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
	unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM

// reading are the other ways to use a path. On a file only some of them make sense.
const (
	readingFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	reading     = readingFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
)

// rules are what Landlock refuses, but for what is allowed.
type rules struct {
	fs, net, scoped uint64 // struct landlock_ruleset_attr
	allowed         []allowance
	layers          []string // what the kernel at hand can refuse, for people
}

// allowance is a way to use what lies beneath a path.
type allowance struct {
	path   string
	access uint64
}

// rules returns what a process with this Stage is refused, by a kernel with this version of
// Landlock.
func (s Stage) rules(version int, offline bool) rules {
	r := rules{fs: writing, layers: []string{"landlock: no change by path"}}
	for _, file := range s.Reopens {
		path := fmt.Sprintf("/proc/self/fd/%d", file) // the rule is about the file itself
		r.allowed = append(r.allowed, allowance{path, unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE})
	}
	if version >= 2 {
		r.fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		r.fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 && offline {
		r.net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		r.layers = append(r.layers, "landlock: no TCP")
	}
	if version >= 6 {
		r.scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		r.layers = append(r.layers, "landlock: no signals")
	}
	if s.Root == nil {
		return r
	}
	if s.Root.Node {
		r.fs |= unix.LANDLOCK_ACCESS_FS_EXECUTE
		r.layers = append(r.layers, "landlock: no other program")
		for _, path := range s.Root.Paths {
			r.allowed = append(r.allowed, allowance{path, unix.LANDLOCK_ACCESS_FS_EXECUTE})
		}
		return r
	}
	r.fs |= reading
	r.layers[0] = "landlock: no path but its root"
	for _, path := range append([]string{"/proc/self/fd"}, s.Root.Paths...) {
		r.allowed = append(r.allowed, allowance{path, reading})
	}
	for _, path := range s.Root.Devices {
		r.allowed = append(r.allowed, allowance{path, unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE})
	}
	return r
}

// landlocked keeps the calling thread and what it becomes to the rules. Descriptors it
// has are not concerned. It may execute the program.
func (s Stage) landlocked(offline bool, program string) (layers []string, err error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return nil, errno
	}
	r := s.rules(int(version), offline)
	// A kernel that knows less takes a longer structure if what it does not know is zero.
	attributes := [3]uint64{r.fs, r.net, r.scoped}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0)
	if errno != 0 {
		return nil, errno
	}
	defer func() { _ = unix.Close(int(fd)) }()
	if s.Root != nil {
		r.allowed = append(r.allowed, allowance{program, readingFile & r.fs})
	}
	for _, a := range r.allowed {
		a.access &= r.fs
		if err := a.add(int(fd)); err != nil {
			return nil, err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return nil, errno
	}
	return r.layers, nil
}

// add adds the rule to a ruleset, if there is such a path.
func (a allowance) add(ruleset int) error {
	fd, err := unix.Open(a.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil //nolint:nilerr // what is not there, or out of reach, need not be allowed
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("looking at %s: %w", a.path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		a.access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	return allow(ruleset, fd, a.access)
}

// allow adds a rule about what lies beneath fd, or about the file it is.
func allow(ruleset, fd int, access uint64) error {
	// struct landlock_path_beneath_attr is packed.
	rule := struct {
		low, high uint32
		fd        int32
	}{uint32(access), uint32(access >> 32), int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
