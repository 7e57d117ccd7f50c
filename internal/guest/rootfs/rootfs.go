// Package rootfs gives access to the files of a mounted image that somebody
// else made.
//
// Invariant: whatever the image contains, nothing outside its tree is read,
// written or even opened, and no call blocks. Every path, also the target of
// every symbolic link, resolves as if the image were "/" (openat2(2),
// RESOLVE_IN_ROOT); what is opened for its content is a regular file, looked at
// before it is opened; a write never follows the last component of its path and
// replaces the file in one step. A write goes through no symbolic link, and
// nothing of somebody else's, that an account of the image without privileges may
// have put in its way.
//
// It is a little larger because whatever opens, writes, labels or walks files of a hostile
// tree is here, so that nothing else has to.
package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Root is the tree of a mounted image. Its methods take paths of the image,
// absolute or relative to its top. They are safe for concurrent use.
type Root struct {
	// NoSync leaves it to the unmount to bring changes to the disk. It is for a
	// disk that does not boot before everything is there; on an installed machine
	// each change must be durable by itself. Set it before the first change.
	NoSync bool
	// Label returns the SELinux label of what is new at a real path, "" for that of its
	// directory. With nil, new files have no label. A file that is replaced keeps its
	// own in any case. Set it before the first change.
	Label func(p string, kind fs.FileMode) string

	top *os.File // O_PATH
	dir string

	mu      sync.Mutex
	changed map[string]bool
}

// Errors about what lies at a path, besides those of io/fs.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("larger than such a file may be")
	ErrTooMany    = errors.New("more files than a system has there; take away what does not belong")
)

// Open returns the tree below the directory dir of the helper.
func Open(dir string) (*Root, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "opening the image's tree", Path: dir, Err: err}
	}
	return &Root{top: os.NewFile(uintptr(fd), dir), dir: dir, changed: map[string]bool{}}, nil
}

// Close gives up the tree, so that it can be unmounted. Changed keeps working.
func (r *Root) Close() error { return r.top.Close() }

// Dir returns the directory of the helper given to Open.
func (r *Root) Dir() string { return r.dir }

// Changed returns every path of the image that was written, made or removed,
// sorted. The paths are real: no symbolic link is left in their directories.
func (r *Root) Changed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths := make([]string, 0, len(r.changed))
	for p := range r.changed {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

func (r *Root) record(p string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed[p] = true
}

// open resolves p inside the image. The kernel asks to try again when
// something was renamed meanwhile; in a helper nobody does that for long.
func (r *Root) open(p string, flags uint64) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	var fd int
	var err error
	for range 100 {
		fd, err = unix.Openat2(int(r.top.Fd()), inside(p), &how)
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// inside makes p a path openat2 takes: not empty. An absolute path is one of
// the image already.
func inside(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// openRegular opens the regular file p for reading, after looking: opening a
// FIFO would wait, and opening a device may do anything.
func (r *Root) openRegular(p string) (*os.File, error) {
	handle, err := r.open(p, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer func() { _ = handle.Close() }()
	return reopen(handle, p)
}

// reopen opens the regular file p, known by its handle, for reading.
func reopen(handle *os.File, p string) (*os.File, error) {
	if err := checkRegular(handle); err != nil {
		return nil, err
	}
	fd, err := unix.Open(procPath(handle), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// procPath names the file behind an open handle, so that it can be opened for
// more than the handle allows without resolving its path a second time.
func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func checkRegular(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%w but %s", ErrNotRegular, kindOf(st.Mode()))
	}
	return nil
}

// kindOf names the kind of file that a mode means.
func kindOf(m fs.FileMode) string {
	switch m.Type() {
	case 0:
		return "a regular file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a FIFO"
	case fs.ModeSocket:
		return "a socket"
	default:
		return "a device node"
	}
}

// realPath returns the path in the image of an open handle.
func (r *Root) realPath(f *os.File) (string, error) {
	top, err := os.Readlink(procPath(r.top))
	if err != nil {
		return "", err
	}
	p, err := os.Readlink(procPath(f))
	if err != nil {
		return "", err
	}
	if p == top {
		return "/", nil
	}
	rel, ok := strings.CutPrefix(p, strings.TrimSuffix(top, "/")+"/")
	if !ok {
		return "", fmt.Errorf("%s is not in the image's tree", p)
	}
	return "/" + rel, nil
}

// parent is the directory of a path, resolved, and the last component.
type parent struct {
	dir  *os.File // O_PATH
	path string   // real path of dir in the image
	base string
}

func (p parent) fd() int                 { return int(p.dir.Fd()) }
func (p parent) close()                  { _ = p.dir.Close() }
func (p parent) join() string            { return path.Join(p.path, p.base) }
func (p parent) with(base string) parent { p.base = base; return p }

// parent resolves the directory of p and leaves the last component alone.
func (r *Root) parent(p string, g guard) (parent, error) {
	trimmed := strings.TrimRight(p, "/")
	if base := path.Base(trimmed); trimmed == "" || base == "." || base == ".." {
		return parent{}, errors.New("path does not end in a name")
	}
	at, err := r.walk(trimmed, g, false)
	if err != nil {
		return parent{}, err
	}
	defer at.close()
	return at.parent()
}

// parent returns the place as a name in a directory that exists.
func (p place) parent() (parent, error) {
	dir, base := p.last(), p.leaf
	switch {
	case len(p.missing) > 1:
		return parent{}, unix.ENOENT
	case len(p.missing) == 1:
		base = p.missing[0]
	case p.leaf == "" && len(p.steps) == 1:
		return parent{}, errors.New("path does not end in a name")
	case p.leaf == "":
		base = path.Base(dir.path)
		dir = p.steps[len(p.steps)-2]
	}
	f, err := openPath(dir.dir, ".")
	return parent{dir: f, path: dir.path, base: base}, err
}

// wrap adds to an error what was being done and to which path of the image.
func wrap(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}
