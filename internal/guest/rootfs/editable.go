package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"
)

// Editable returns the error with which Edit would refuse p or, where nothing is,
// WriteFile, as far as that is known without writing. It works on a tree that is
// mounted read-only.
func (r *Root) Editable(p string) error { return wrap("editing", p, r.editable(p)) }

// Replaceable is Editable for WriteFile, which follows no link at the end.
func (r *Root) Replaceable(p string) error { return wrap("writing", p, r.replaceable(p)) }

func (r *Root) editable(p string) error {
	real := p
	f, err := r.openRegular(p)
	switch {
	case err == nil:
		defer func() { _ = f.Close() }()
		if st, err := f.Stat(); err == nil && st.Size() > MaxConfig {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxConfig)
		}
		if real, err = r.realPath(f); err != nil {
			return err
		}
	case !IsNotExist(err):
		return err
	}
	return r.replaceable(real)
}

func (r *Root) replaceable(p string) error {
	at, err := r.parent(p, ours)
	if err != nil {
		return err
	}
	defer at.close()
	if st, err := lstatAt(at); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("%w but a directory", ErrNotRegular)
	}
	if name := at.fixed(); name != "" {
		return fmt.Errorf("%s %s: %w", name, fixedWords, unix.EPERM)
	}
	return nil
}

const fixedWords = "has the attribute immutable or append-only, see chattr(1)"

// explain adds to a refusal what only the file attributes of chattr(1) tell.
func explain(at parent, err error) error {
	if name := at.fixed(); errors.Is(err, fs.ErrPermission) && name != "" {
		return fmt.Errorf("%w (%s %s)", err, name, fixedWords)
	}
	return err
}

// fixed returns the path of the file at the place, or of its directory, whose
// attributes keep even root from replacing the file; "" if neither has any.
func (p parent) fixed() string {
	for _, name := range []string{p.base, "."} {
		var st unix.Statx_t
		if unix.Statx(p.fd(), name, unix.AT_SYMLINK_NOFOLLOW, 0, &st) != nil {
			continue
		}
		if st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
			return path.Join(p.path, name)
		}
	}
	return ""
}
