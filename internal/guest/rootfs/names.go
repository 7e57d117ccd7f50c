package rootfs

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Remove removes the file p itself, never what a symbolic link points to. A
// directory is an error, as is a path where nothing is.
func (r *Root) Remove(p string) error {
	at, err := r.parent(p, ours)
	if err != nil {
		return wrap("removing", p, err)
	}
	defer at.close()
	if err := unix.Unlinkat(at.fd(), at.base, 0); err != nil {
		return wrap("removing", p, explain(at, err))
	}
	r.record(at.join())
	return wrap("removing", p, r.syncDir(at))
}

// Symlink makes p a symbolic link to target, replacing a file there in one
// step. The target is stored as given and not resolved.
func (r *Root) Symlink(target, p string) error {
	at, err := r.parent(p, ours)
	if err != nil {
		return wrap("linking", p, err)
	}
	defer at.close()
	f, tmp, err := createTemporary(at)
	if err != nil {
		return wrap("linking", p, explain(at, err))
	}
	_ = f.Close()
	link := tmp.with(tmp.base + ".link")
	err = unix.Symlinkat(target, link.fd(), link.base)
	err = errors.Join(err, unix.Unlinkat(tmp.fd(), tmp.base, 0))
	if err != nil {
		return wrap("linking", p, err)
	}
	if err := r.label(link, at, fs.ModeSymlink); err != nil {
		return wrap("linking", p, errors.Join(err, unix.Unlinkat(link.fd(), link.base, 0)))
	}
	return wrap("linking", p, r.moveInto(link, at))
}

// Rename moves the file from to the name to in one step, in directories that
// both exist. Last components are not followed.
func (r *Root) Rename(from, to string) error {
	src, err := r.parent(from, ours)
	if err != nil {
		return wrap("renaming", from, err)
	}
	defer src.close()
	dst, err := r.parent(to, ours)
	if err != nil {
		return wrap("renaming", to, err)
	}
	defer dst.close()
	if err := r.labelMoved(src, dst); err != nil {
		return wrap("renaming", from, err)
	}
	if err := unix.Renameat(src.fd(), src.base, dst.fd(), dst.base); err != nil {
		return wrap("renaming", from, explain(src, err))
	}
	r.record(src.join())
	r.record(dst.join())
	return wrap("renaming", from, errors.Join(r.syncDir(src), r.syncDir(dst)))
}
