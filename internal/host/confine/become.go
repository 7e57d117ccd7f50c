package confine

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Layers: a child without ownRoot sees the root of the node, and may change it without
// onlyRead.
const (
	ownRoot  = "root of its own"
	onlyRead = "read-only mounts"
)

// layer is what the root is, among the layers.
func (r Root) layer() string {
	if r.Node {
		return onlyRead
	}
	return ownRoot
}

// userNamespace are the capabilities that an ordinary user's stage needs in the user
// namespace it begins in, until it gives them up.
var userNamespace = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}

// mapUser gives the process, in a user namespace of its own, the identity it had outside.
func mapUser(uid, gid int) error {
	// The files belong to root as long as the process may not be dumped. It knows no secret.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("mapping the user: %w", err)
	}
	for _, f := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("%d %d 1", uid, uid)},
		{"gid_map", fmt.Sprintf("%d %d 1", gid, gid)},
	} {
		if err := os.WriteFile("/proc/self/"+f.name, []byte(f.text), 0); err != nil {
			return fmt.Errorf("mapping the user: %w", err)
		}
	}
	return nil
}

// changeRoot enters the root, if there is one and the process is in a mount namespace of
// its own. It returns the path of the program in it.
func (o order) changeRoot(a *answer) string {
	switch {
	case o.Root == nil:
		return o.Path
	case !o.has(unix.CLONE_NEWNS):
		a.Missing = append(a.Missing, o.Root.layer())
		return o.Path
	}
	program, err := o.Root.enter(o.Path)
	if err != nil {
		a.Missing = append(a.Missing, fmt.Sprintf("%s (%v)", o.Root.layer(), err))
		return o.Path
	}
	a.Layers = append(a.Layers, o.Root.layer())
	return program
}

// as makes the calling thread, and what it becomes, this user.
func as(user *syscall.Credential) error {
	groups := make([]int, len(user.Groups))
	for i, g := range user.Groups {
		groups[i] = int(g)
	}
	if err := unix.Setgroups(groups); err != nil { // of the thread
		return fmt.Errorf("leaving the groups of root: %w", err)
	}
	for _, change := range []struct {
		call uintptr
		id   uint32
	}{{unix.SYS_SETRESGID, user.Gid}, {unix.SYS_SETRESUID, user.Uid}} {
		id := uintptr(change.id)
		if _, _, errno := unix.RawSyscall(change.call, id, id, id); errno != 0 {
			return fmt.Errorf("becoming user %d: %w", user.Uid, errno)
		}
	}
	return nil
}
