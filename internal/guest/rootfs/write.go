package rootfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Attr is what a new file or directory gets.
type Attr struct {
	Mode uint32 // permission, set-id and sticky bits as in chmod(2)
	UID  int
	GID  int
}

// WriteFile makes the regular file p with exactly that content and those
// attributes, replacing what is there in one step: at any moment p is the old
// or the new file. The last component is never followed: a symbolic link, FIFO
// or device there is replaced, a directory is an error. The file's directory
// must exist.
func (r *Root) WriteFile(p string, data []byte, a Attr) error {
	return r.writeFile(p, data, a, ours)
}

func (r *Root) writeFile(p string, data []byte, a Attr, g guard) error {
	at, err := r.parent(p, g)
	if err != nil {
		return wrap("writing", p, err)
	}
	defer at.close()
	return wrap("writing", p, r.replace(at, data, a, nil))
}

// Edit passes the content of the existing regular file p, found through the
// symbolic links of the image, to edit and replaces the file by the result in
// one step, keeping owner, mode and all extended attributes. When edit returns
// the same bytes the file is not touched. A link on the way stays a link; of a
// file with several hard links only the name p leads to gets the new content.
func (r *Root) Edit(p string, edit func(old []byte) ([]byte, error)) error {
	return wrap("editing", p, r.edit(p, edit))
}

func (r *Root) edit(p string, edit func([]byte) ([]byte, error)) error {
	at, err := r.walk(p, ours, true)
	if err != nil {
		return err
	}
	defer at.close()
	f, err := at.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	old, err := readAll(f, MaxConfig)
	if err != nil {
		return err
	}
	data, err := edit(old)
	if err != nil || string(data) == string(old) {
		return err
	}
	return r.replaceAt(at, data, attrOf(at.stat), f)
}

// Put is Edit of a file that may be missing: edit gets nothing then, and the new file
// mode 0644. A link to nothing is replaced.
func (r *Root) Put(p string, edit func(old []byte) ([]byte, error)) error {
	err := r.Edit(p, edit)
	if !IsNotExist(err) {
		return err
	}
	data, err := edit(nil)
	if err != nil {
		return err
	}
	return r.WriteFile(p, data, Attr{Mode: 0o644})
}

// open opens the regular file at the place for reading.
func (p place) open() (*os.File, error) {
	switch {
	case len(p.missing) > 0:
		return nil, unix.ENOENT
	case p.leaf == "":
		return nil, fmt.Errorf("%w but a directory", ErrNotRegular)
	}
	return reopen(p.handle, p.real())
}

func attrOf(st unix.Stat_t) Attr {
	return Attr{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}
}

// replaceAt is replace for a place, if the file that was read is still there.
func (r *Root) replaceAt(p place, data []byte, a Attr, like *os.File) error {
	at, err := p.parent()
	if err != nil {
		return err
	}
	defer at.close()
	if p.leaf != "" {
		same, err := lstatAt(at)
		if err != nil {
			return err
		}
		if p.stat.Dev != same.Dev || p.stat.Ino != same.Ino {
			return errors.New("the file was replaced meanwhile")
		}
	}
	return r.replace(at, data, a, like)
}

// replace puts a new file at the place at. Extended attributes come from like,
// unless that is nil.
func (r *Root) replace(at parent, data []byte, a Attr, like *os.File) error {
	if st, err := lstatAt(at); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("%w but a directory", ErrNotRegular)
	}
	f, tmp, err := createTemporary(at)
	if err != nil {
		return explain(at, err)
	}
	defer func() { _ = f.Close() }()
	if err := r.fill(f, data, a, like); err != nil {
		return errors.Join(err, unix.Unlinkat(at.fd(), tmp.base, 0))
	}
	if err := r.label(tmp, at, 0); err != nil {
		return errors.Join(err, unix.Unlinkat(at.fd(), tmp.base, 0))
	}
	return r.moveInto(tmp, at)
}

// moveInto renames tmp to at and makes that durable; tmp is removed when it
// cannot be done.
func (r *Root) moveInto(tmp, at parent) error {
	if err := unix.Renameat(tmp.fd(), tmp.base, at.fd(), at.base); err != nil {
		return errors.Join(explain(at, err), unix.Unlinkat(tmp.fd(), tmp.base, 0))
	}
	r.record(at.join())
	return r.syncDir(at)
}

// createTemporary makes an empty file beside at. Its name starts with a dot,
// so that no program that reads a whole directory takes it for one of its files.
func createTemporary(at parent) (*os.File, parent, error) {
	var err error
	for n := range 1000 {
		tmp := at.with(fmt.Sprintf(".snf-image-%d", n))
		var fd int
		fd, err = unix.Openat(at.fd(), tmp.base,
			unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), tmp.join()), tmp, nil
		}
		if err != unix.EEXIST {
			break
		}
	}
	return nil, parent{}, err
}

// fill writes content and attributes to the new file f. The owner comes before
// the mode because chown(2) clears set-id bits, and extended attributes last
// because it clears security.capability too.
func (r *Root) fill(f *os.File, data []byte, a Attr, like *os.File) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return r.finish(f, a, like)
}

// finish gives f its attributes.
func (r *Root) finish(f *os.File, a Attr, like *os.File) error {
	if err := f.Chown(a.UID, a.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(int(f.Fd()), a.Mode&0o7777); err != nil {
		return err
	}
	if like != nil {
		if err := copyXattrs(f, like); err != nil {
			return err
		}
	}
	if r.NoSync {
		return nil
	}
	return f.Sync()
}

func lstatAt(at parent) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(at.fd(), at.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

// syncDir makes a rename in at's directory durable.
func (r *Root) syncDir(at parent) error {
	if r.NoSync {
		return nil
	}
	fd, err := unix.Openat(at.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Fsync(fd)
}
