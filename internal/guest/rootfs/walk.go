package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of the way to a file.
const (
	maxLinks = 40  // as in the kernel
	maxDepth = 200 // directories, each of which takes a descriptor
)

// step is a directory on the way.
type step struct {
	dir   *os.File // O_PATH
	path  string   // real path in the image
	stat  unix.Stat_t
	below string // the topmost directory on the way that others than root can write, "" for none
}

// place is where a path leads. Directories are in steps; what is not a directory
// is the leaf; what is not there is missing.
type place struct {
	steps    []step // top first
	leaf     string
	handle   *os.File // O_PATH, of the leaf
	stat     unix.Stat_t
	missing  []string
	dangling string // the link whose target is missing
}

func (p place) close() {
	for _, s := range p.steps {
		_ = s.dir.Close()
	}
	if p.handle != nil {
		_ = p.handle.Close()
	}
}

func (p place) last() step { return p.steps[len(p.steps)-1] }

// real returns the path of what is there or would be, without links.
func (p place) real() string {
	if p.leaf != "" {
		return path.Join(p.last().path, p.leaf)
	}
	return path.Join(p.last().path, path.Join(p.missing...))
}

// name is a component that is still to be walked.
type name struct {
	text   string
	link   string // it came from
	sealed bool   // it may not be a link
}

// walker goes to a place one component at a time. Each is opened without being
// followed and looked at through its descriptor, so what was judged is what is
// used.
type walker struct {
	guard
	place
	todo  []name
	links int
}

// walk goes to p. The last component is followed only if so asked.
func (r *Root) walk(p string, g guard, follow bool) (place, error) {
	w := walker{guard: g}
	w.users = slices.Clone(g.users)
	todo, inside := names(p, ""), len(names(g.sealed, ""))
	for i := range todo {
		todo[i].sealed = g.sealed != "" && i >= inside && strings.HasPrefix(p, g.sealed)
	}
	w.push(todo)
	dir, err := openPath(r.top, ".")
	if err == nil {
		err = w.enter(dir, "/")
	}
	for err == nil && len(w.todo) > 0 {
		err = w.next(follow)
	}
	if err != nil {
		w.close()
		return place{}, err
	}
	return w.place, nil
}

func names(p, link string) []name {
	var out []name
	for part := range strings.SplitSeq(p, "/") {
		if part != "" && part != "." {
			out = append(out, name{text: part, link: link})
		}
	}
	return out
}

func (w *walker) push(n []name) { w.todo = append(n, w.todo...) }

// openPath opens a name for looking only, never what a link points to.
func openPath(dir *os.File, base string) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), base), nil
}

// next takes one component.
func (w *walker) next(follow bool) error {
	n := w.todo[0]
	w.todo = w.todo[1:]
	switch {
	case w.leaf != "":
		return fmt.Errorf("%w: %s is %s", unix.ENOTDIR, w.real(), kindOfStat(w.stat))
	case n.text == ".." && len(w.missing) > 0:
		return unix.ENOENT
	case n.text == "..":
		w.up()
		return nil
	case len(w.missing) > 0:
		w.missing = append(w.missing, n.text)
		return nil
	}
	f, err := openPath(w.last().dir, n.text)
	if errors.Is(err, unix.ENOENT) {
		w.missing, w.dangling = []string{n.text}, n.link
		return nil
	}
	if err != nil {
		return err
	}
	return w.meet(n, f, follow)
}

// up leaves a directory; that of the top is the top itself.
func (w *walker) up() {
	if len(w.steps) > 1 {
		_ = w.last().dir.Close()
		w.steps = w.steps[:len(w.steps)-1]
	}
}

// meet judges what is there and goes on through it. It takes f over.
func (w *walker) meet(n name, f *os.File, follow bool) error {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	real := path.Join(w.last().path, n.text)
	if err == nil {
		err = w.judge(real, n, f, st)
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case err != nil:
	case kind == unix.S_IFDIR:
		return w.enter(f, real)
	case kind == unix.S_IFLNK && (follow || len(w.todo) > 0):
		err = w.follow(f, real)
	default:
		w.leaf, w.handle, w.stat = n.text, f, st
		return nil
	}
	return errors.Join(err, f.Close())
}

// judge refuses what an account without privileges may have put there.
func (w *walker) judge(real string, n name, f *os.File, st unix.Stat_t) error {
	below, why := w.last().below, othersWrite
	if n.sealed && below == "" {
		below, why = w.sealed, "where no link is followed"
	}
	switch {
	case below == "":
		return nil
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		target, err := targetOf(f)
		if err != nil {
			return err
		}
		return &UnsafeError{real, fmt.Sprintf("is a symbolic link, to %q", target), below, why}
	case !w.allows(st.Uid):
		return &UnsafeError{real, w.foreign(st.Uid), below, why}
	}
	return nil
}

func targetOf(link *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func (w *walker) foreign(uid uint32) string {
	var allowed []string
	for _, u := range w.users {
		if u != 0 {
			allowed = append(allowed, strconv.Itoa(u))
		}
	}
	if len(allowed) == 0 {
		return fmt.Sprintf("belongs to uid %d, not to root", uid)
	}
	return fmt.Sprintf("belongs to uid %d, neither to root nor to uid %s", uid, strings.Join(allowed, " or "))
}

// follow puts the target of a symbolic link in front of what is still to be
// walked. An absolute one begins at the top of the image.
func (w *walker) follow(f *os.File, p string) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	target, err := targetOf(f)
	if err != nil {
		return err
	}
	if strings.HasPrefix(target, "/") {
		for len(w.steps) > 1 {
			w.up()
		}
	}
	w.push(names(target, p))
	return nil
}

// enter goes into a directory. It takes f over.
func (w *walker) enter(f *os.File, p string) error {
	s := step{dir: f, path: p}
	if len(w.steps) > 0 {
		s.below = w.last().below
	}
	w.steps = append(w.steps, s)
	if len(w.steps) > maxDepth {
		return fmt.Errorf("%w: more than %d directories", unix.ENAMETOOLONG, maxDepth)
	}
	now := &w.steps[len(w.steps)-1]
	if err := unix.Fstat(int(f.Fd()), &now.stat); err != nil {
		return err
	}
	if now.stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	if now.below != "" || !w.opens(f, now.stat) {
		return nil
	}
	now.below = p
	if w.resident {
		w.users = append(w.users, int(now.stat.Uid))
	}
	if !w.allows(now.stat.Uid) {
		return &UnsafeError{p, w.foreign(now.stat.Uid), p, othersWrite}
	}
	return nil
}

func kindOfStat(st unix.Stat_t) string { return kindOf(kindBits(st)) }

// kindBits returns the type in Go's form.
func kindBits(st unix.Stat_t) fs.FileMode {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFREG:
		return 0
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	}
	return fs.ModeDevice
}
