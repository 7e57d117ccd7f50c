package rootfs

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Rework is Edit for a file that is too large to be held in memory: edit changes a copy of
// it, by its descriptor or by the name /proc/self/fd has for it. When edit fails, the file
// stays as it is.
func (r *Root) Rework(p string, edit func(copied *os.File) error) error {
	return wrap("editing", p, r.rework(p, edit))
}

func (r *Root) rework(p string, edit func(*os.File) error) error {
	at, err := r.walk(p, ours, true)
	if err != nil {
		return err
	}
	defer at.close()
	old, err := at.open()
	if err != nil {
		return err
	}
	defer func() { _ = old.Close() }()
	to, err := at.parent()
	if err != nil {
		return err
	}
	defer to.close()
	f, tmp, err := createTemporary(to)
	if err != nil {
		return explain(to, err)
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(f, old)
	if err == nil {
		err = edit(f)
	}
	if err == nil {
		err = r.finish(f, attrOf(at.stat), old)
	}
	if err == nil {
		err = r.label(tmp, to, 0)
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(tmp.fd(), tmp.base, 0))
	}
	return r.moveInto(tmp, to)
}
