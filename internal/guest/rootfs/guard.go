package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

// UnsafeError says that an unprivileged account of the image decides where a
// path leads, or may have put there what lies on it.
type UnsafeError struct {
	Path string // the component, a real path but for itself
	Why  string
}

// Error returns both.
func (e *UnsafeError) Error() string { return e.Path + " " + e.Why }

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// Guard walks along the path p, whose end need not exist, and returns an
// UnsafeError if root must not go there: from the first directory on that others
// than root can write, no component may be a symbolic link, and each belongs to
// root or one of owners.
//
// It looks and leaves the doing to others, which is enough because nothing else
// runs on an image that is mounted in the helper.
func (r *Root) Guard(p string, owners ...int) error {
	_, err := r.guard(&walk{cur: "/", owners: owners}, p)
	return err
}

// GuardFile does the same for a file that is to belong to owner, which may lie in
// somebody else's home: the account that root gave the first such directory to
// counts as an owner, too.
func (r *Root) GuardFile(p string, owner int) error {
	_, err := r.guard(&walk{cur: "/", owners: []int{owner}, adopts: true}, p)
	return err
}

// GuardBelow is Guard for the path rel below dir, and lets no component of rel be
// a link, whoever can write there.
func (r *Root) GuardBelow(dir, rel string, owners ...int) error {
	w := &walk{cur: "/", owners: owners}
	there, err := r.guard(w, dir)
	if err != nil || !there {
		return err
	}
	w.open = true
	_, err = r.guard(w, rel)
	return err
}

// walk is how far a path was followed.
type walk struct {
	cur    string // real path
	open   bool   // an unprivileged account can write cur or a directory above
	owners []int  // who besides root
	adopts bool   // the owner of the first directory that is not root's is added
	links  int
}

// guard follows p from where w is. It reports whether all of p exists.
func (r *Root) guard(w *walk, p string) (there bool, err error) {
	if err := r.enter(w); err != nil {
		return false, err
	}
	rest := strings.Split(p, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			w.cur = path.Dir(w.cur)
			continue
		}
		next := path.Join(w.cur, part)
		st, err := r.Lstat(next)
		if IsNotExist(err) || errors.Is(err, syscall.ENOTDIR) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if st.Mode().Type() == fs.ModeSymlink {
			target, err := r.followed(w, next)
			if err != nil {
				return false, err
			}
			if path.IsAbs(target) {
				w.cur = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
			continue
		}
		if err := w.step(next, st); err != nil {
			return false, err
		}
	}
	return true, nil
}

// enter takes in who can write the directory a walk begins in.
func (r *Root) enter(w *walk) error {
	st, err := r.Lstat(w.cur)
	if err != nil {
		return err
	}
	return w.step(w.cur, st)
}

// followed returns the target of the link p, unless somebody else than root may
// have made it.
func (r *Root) followed(w *walk, p string) (string, error) {
	target, err := r.Readlink(p)
	if err != nil {
		return "", err
	}
	if w.open {
		return "", &UnsafeError{p, fmt.Sprintf("is a symbolic link, to %q, in a place where no link is followed", target)}
	}
	if w.links++; w.links > maxLinks {
		return "", wrap("resolving", p, syscall.ELOOP)
	}
	return target, nil
}

// step goes on to p, which is no link.
func (w *walk) step(p string, st fs.FileInfo) error {
	owner := OwnerOf(st)
	opens := st.IsDir() && (owner != 0 || st.Mode().Perm()&0o022 != 0)
	if opens && !w.open && w.adopts {
		w.owners = append(w.owners, owner)
	}
	w.open = w.open || opens
	if w.open && owner != 0 && !slices.Contains(w.owners, owner) {
		return &UnsafeError{p, fmt.Sprintf("belongs to uid %d, in a place that others than root can write", owner)}
	}
	w.cur = p
	return nil
}

// OwnerOf returns the uid a file belongs to.
func OwnerOf(st fs.FileInfo) int {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return -1
}

// Readable reports whether the account of that uid and group could read the file
// behind the path p itself: what it may be told by a copy.
func (r *Root) Readable(p string, uid, gid int) (bool, error) {
	st, err := r.Stat(p)
	if err != nil {
		return false, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	mode := st.Mode().Perm()
	switch {
	case !ok:
		return false, nil
	case uid == 0 || int(sys.Uid) == uid:
		return true, nil // an owner may change the mode
	case int(sys.Gid) == gid:
		return mode&0o040 != 0, nil
	}
	return mode&0o004 != 0, nil
}
