package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// MkdirAll makes the directory p and those of its parents that are missing,
// all with the attributes a, and returns the real paths of those it made.
// Directories that exist are left as they are; symbolic links to directories
// are followed inside the image, a link to nothing is an error.
func (r *Root) MkdirAll(p string, a Attr) (made []string, err error) {
	return r.mkdirAll(p, a, ours)
}

func (r *Root) mkdirAll(p string, a Attr, g guard) (made []string, err error) {
	at, err := r.walk(p, g, true)
	if err != nil {
		return nil, wrap("making the directory", p, err)
	}
	defer at.close()
	switch {
	case at.leaf != "":
		err = fmt.Errorf("%s is %s", at.real(), kindOfStat(at.stat))
	case at.dangling != "":
		err = fmt.Errorf("%s is a symbolic link to nothing", at.dangling)
	default:
		made, err = r.mkdirs(at, a)
	}
	return made, wrap("making the directory", p, err)
}

// mkdirs makes the directories that are missing at the place.
func (r *Root) mkdirs(p place, a Attr) (made []string, err error) {
	dir, err := openPath(p.last().dir, ".")
	at := parent{dir: dir, path: p.last().path}
	for _, base := range p.missing {
		if err != nil {
			break
		}
		at.base = base
		var next *os.File
		if next, err = r.mkdir(at, a); err == nil {
			made = append(made, at.join())
			at.close()
			at = parent{dir: next, path: at.join()}
		}
	}
	if at.dir != nil {
		at.close()
	}
	return made, err
}

// mkdir makes one directory and opens it.
func (r *Root) mkdir(at parent, a Attr) (*os.File, error) {
	if err := unix.Mkdirat(at.fd(), at.base, 0o700); err != nil {
		return nil, explain(at, err)
	}
	fd, err := unix.Openat(at.fd(), at.base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r.record(at.join())
	f := os.NewFile(uintptr(fd), at.base)
	err = errors.Join(unix.Fchown(fd, a.UID, a.GID), unix.Fchmod(fd, a.Mode&0o7777), r.label(at, at, fs.ModeDir), r.syncDir(at))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
