package collection

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// change is the directory of one image in the making.
type change struct {
	c    Collection
	name string
	dir  string
	lock *os.File
}

// begin makes an empty directory beside the others. What it was for is kept by keep, or
// gone with end.
func (c Collection) begin(name string) (*change, error) {
	if err := ownership.MakeDir(c.dir, 0o755); err != nil {
		return nil, report.Bare(err)
	}
	lock, err := c.lock()
	if err != nil {
		return nil, err
	}
	ch := &change{c: c, name: name, dir: filepath.Join(c.dir, fresh+name), lock: lock}
	err = c.clean()
	if err == nil {
		err = os.Mkdir(ch.dir, 0o755)
	}
	if err != nil {
		unlock(lock)
		return nil, report.Bare(err)
	}
	return ch, nil
}

// end removes what was not kept.
func (c *change) end() {
	_ = os.RemoveAll(c.dir)
	unlock(c.lock)
}

// create makes a file in the directory.
func (c *change) create(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(c.dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
}

// keep puts the directory in its place, after all of it is on the disk.
func (c *change) keep() error {
	if err := syncAll(c.dir); err != nil {
		return err
	}
	at := filepath.Join(c.c.dir, c.name)
	err := unix.Renameat2(unix.AT_FDCWD, c.dir, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(c.dir, at)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // NFS cannot exchange
		err = c.replace(at)
	}
	if err != nil {
		return report.Bare(err)
	}
	return syncDir(c.c.dir)
}

// replace takes the old directory away and puts the new one in its place. clean repairs
// what is interrupted in between.
func (c *change) replace(at string) error {
	old := filepath.Join(c.c.dir, stale+c.name)
	if err := os.Rename(at, old); err != nil {
		return err
	}
	if err := os.Rename(c.dir, at); err != nil {
		return errors.Join(err, os.Rename(old, at))
	}
	return os.RemoveAll(old)
}

// syncAll flushes the files of a directory, and it.
func syncAll(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return report.Bare(err)
	}
	for _, d := range list {
		if err := syncDir(filepath.Join(dir, d.Name())); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return report.Bare(err)
	}
	return report.Bare(errors.Join(f.Sync(), f.Close()))
}

// Remove takes an image and its pin away, and returns where they were. The error is
// fs.ErrNotExist where there is none.
func (c Collection) Remove(name string) (string, error) {
	at := filepath.Join(c.dir, name)
	if !catalogue.IsName(name) {
		return "", fs.ErrNotExist
	}
	if _, err := os.Lstat(at); err != nil {
		return "", report.Bare(err)
	}
	lock, err := c.lock()
	if err != nil {
		return "", err
	}
	defer unlock(lock)
	gone := filepath.Join(c.dir, fresh+name)
	if err := c.clean(); err != nil {
		return "", report.Bare(err)
	}
	if err := os.Rename(at, gone); err != nil {
		return "", report.Bare(err)
	}
	return at, report.Bare(os.RemoveAll(gone))
}
