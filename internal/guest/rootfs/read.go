package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits of what is read from an image.
const (
	// MaxConfig is more than any configuration file needs, in bytes.
	MaxConfig = 4 << 20
	// maxEntries is how many names of one directory are looked at.
	maxEntries = 100_000
	// maxMatches is how many paths a pattern may match, in each of its
	// directories: links of an image can make a tree without an end.
	maxMatches = 1_000
)

// ReadFile returns the content of the regular file p, following symbolic links
// inside the image. A file of more than limit bytes is ErrTooLarge; anything
// that is not a regular file is ErrNotRegular and is not opened.
func (r *Root) ReadFile(p string, limit int64) ([]byte, error) {
	f, err := r.openRegular(p)
	if err != nil {
		return nil, wrap("reading", p, err)
	}
	defer func() { _ = f.Close() }()
	data, err := readAll(f, limit)
	return data, wrap("reading", p, err)
}

// readAll reads a file of the image, which nobody changes meanwhile, into memory
// of just its size.
func readAll(f *os.File, limit int64) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	data := make([]byte, st.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

// Stat describes what p leads to, following symbolic links inside the image.
func (r *Root) Stat(p string) (fs.FileInfo, error) { return r.stat(p, 0) }

// Lstat is like Stat but describes a symbolic link itself.
func (r *Root) Lstat(p string) (fs.FileInfo, error) { return r.stat(p, unix.O_NOFOLLOW) }

func (r *Root) stat(p string, flags uint64) (fs.FileInfo, error) {
	f, err := r.open(p, unix.O_PATH|flags)
	if err != nil {
		return nil, wrap("looking at", p, err)
	}
	defer func() { _ = f.Close() }()
	return f.Stat()
}

// Exists reports whether p leads to anything. A link to nothing does not exist.
func (r *Root) Exists(p string) bool {
	_, err := r.Stat(p)
	return err == nil
}

// Has reports whether anything is at p, a link to nothing included.
func (r *Root) Has(p string) bool {
	_, err := r.Lstat(p)
	return err == nil
}

// IsRegular reports whether p leads to a regular file.
func (r *Root) IsRegular(p string) bool {
	st, err := r.Stat(p)
	return err == nil && st.Mode().IsRegular()
}

// IsDir reports whether p leads to a directory.
func (r *Root) IsDir(p string) bool {
	st, err := r.Stat(p)
	return err == nil && st.IsDir()
}

// Readlink returns the target of the symbolic link p as it is stored.
func (r *Root) Readlink(p string) (string, error) {
	at, err := r.parent(p, ours)
	if err != nil {
		return "", wrap("reading the link", p, err)
	}
	defer at.close()
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(at.fd(), at.base, buf)
	if err != nil {
		return "", wrap("reading the link", p, err)
	}
	return string(buf[:n]), nil
}

// RealPath returns where p leads, without any symbolic link.
func (r *Root) RealPath(p string) (string, error) {
	f, err := r.open(p, unix.O_PATH)
	if err != nil {
		return "", wrap("resolving", p, err)
	}
	defer func() { _ = f.Close() }()
	real, err := r.realPath(f)
	return real, wrap("resolving", p, err)
}

// ReadDir returns the names in the directory p, sorted.
func (r *Root) ReadDir(p string) ([]string, error) {
	f, err := r.open(p, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, wrap("listing", p, err)
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, wrap("listing", p, err)
	}
	if len(names) == maxEntries {
		return nil, wrap("listing", p, fmt.Errorf("%w: %d or more", ErrTooMany, maxEntries))
	}
	slices.Sort(names)
	return names, nil
}

// Glob returns the existing paths that match pattern (path.Match for each
// component, a leading dot only when written), sorted. Unreadable directories
// match nothing.
func (r *Root) Glob(pattern string) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, wrap("matching", pattern, err)
	}
	if len(pattern) > unix.PathMax {
		return nil, wrap("matching", pattern[:40]+"…", unix.ENAMETOOLONG)
	}
	found := []string{"/"}
	for part := range strings.SplitSeq(pattern, "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range found {
			next = append(next, r.globIn(dir, part)...)
			if len(next) > maxMatches {
				return nil, wrap("matching", pattern, fmt.Errorf("%w: more than %d", ErrTooMany, maxMatches))
			}
		}
		found = next
	}
	return found, nil
}

// globIn returns the paths in dir whose last component matches part.
func (r *Root) globIn(dir, part string) []string {
	if !strings.ContainsAny(part, `*?[\`) {
		p := path.Join(dir, part)
		if part == ".." {
			p = dir + "/.." // the image's "..", which a link may have moved
		}
		if _, err := r.Lstat(p); err != nil {
			return nil
		}
		return []string{p}
	}
	names, err := r.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range names {
		hidden := strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".")
		if ok, _ := path.Match(part, name); ok && !hidden {
			out = append(out, path.Join(dir, name))
		}
	}
	return out
}

// IsNotExist reports whether err means that nothing is at the path.
func IsNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
