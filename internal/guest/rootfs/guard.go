package rootfs

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// UnsafeError tells that the way to a file leads through something that an
// account of the image without privileges may have put there.
type UnsafeError struct {
	Path string // of what is in the way, real
	What string // "is a symbolic link, to …"
	Dir  string // the directory below which it may not be, "" for none
	Why  string // "which others than root can write"
}

// Error names what is in the way and why it is not trusted.
func (e *UnsafeError) Error() string {
	if e.Dir == "" || e.Path == e.Dir {
		return e.Path + " " + e.What
	}
	return fmt.Sprintf("%s %s, below %s, %s", e.Path, e.What, e.Dir, e.Why)
}

const othersWrite = "which others than root can write"

// guard says what a walk may meet in a directory that others than root can
// write, and below it: no symbolic link at all, and nothing that belongs to others
// than root and these accounts.
type guard struct {
	users []int
	// resident adds the owner of the topmost such directory: a file of root's may
	// go into a home.
	resident bool
	// sealed is a directory below which no link is followed, whoever can write it.
	sealed string
	// rootGroup takes a directory that root's group can write for root's alone.
	rootGroup bool
}

// ours is for what only root has a say in.
var ours = guard{resident: true, rootGroup: true}

func (g guard) allows(uid uint32) bool {
	return uid == 0 || int(uid) == os.Geteuid() || slices.Contains(g.users, int(uid))
}

// opens reports whether accounts without privileges can write a directory.
// Whoever runs this may be one, in a tree of its own: then it counts as root. Where
// there is an access control list the bits of the group are what it grants at
// most.
func (g guard) opens(f *os.File, st unix.Stat_t) bool {
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() || st.Mode&0o002 != 0 {
		return true
	}
	if st.Mode&0o020 == 0 {
		return false
	}
	if !g.rootGroup || st.Gid != 0 && int(st.Gid) != os.Getegid() {
		return true
	}
	_, err := unix.Getxattr(procPath(f), "system.posix_acl_access", nil)
	return err == nil
}
