package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is what a child sees of the node's files. There is nothing else in it, and
// nothing can be changed there.
type Root struct {
	// Paths are files and directories to read and to execute. Those that are not there are
	// left out.
	Paths []string `json:"paths,omitempty"`
	// Devices may be written.
	Devices []string `json:"devices,omitempty"`
	// Proc has the process itself in /proc, and no other process.
	Proc bool `json:"proc,omitempty"`
	// Node leaves all files of the node in it, to read. Paths are then what may be executed.
	Node bool `json:"node,omitempty"`
}

// place is where the new root is mounted until it is the root. The old one is never used again.
const place = "/proc"

// itself is where this program is in the root of a child that is this program.
const itself = "/snf-image"

// enter makes this the root of the process, which must be in a mount namespace of its
// own, and returns the path of the program there. After an error the root is what it was.
func (r Root) enter(program string) (string, error) {
	if r.Node {
		return program, readOnly()
	}
	mounts, err := r.detach(program)
	defer closeAll(mounts)
	if err != nil {
		return "", err
	}
	tree, err := newMount("tmpfs", "mode=0755")
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(tree) }()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("separating the mounts: %w", err)
	}
	if err := attach(tree, place); err != nil {
		return "", err
	}
	for _, step := range []func() error{
		func() error { return unix.Fchdir(tree) },
		func() error { return fill(mounts) },
		func() error { return pivot(tree) },
	} {
		if err := step(); err != nil {
			return "", errors.Join(err, unix.Chdir("/"), unix.Unmount(place, unix.MNT_DETACH))
		}
	}
	return mounts[0].target, nil
}

// readOnly makes all mounts read-only, in the namespace of the process.
func readOnly() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("separating the mounts: %w", err)
	}
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &attributes); err != nil {
		return fmt.Errorf("making the mounts read-only: %w", err)
	}
	return nil
}

// detached is a mount that is not attached yet.
type detached struct {
	fd     int
	target string // below the root
	dir    bool
}

func closeAll(mounts []detached) {
	for _, m := range mounts {
		_ = unix.Close(m.fd)
	}
}

// detach returns a mount of the program, and then of each path, read-only.
func (r Root) detach(program string) (mounts []detached, err error) {
	add := func(path string, flags uint64) error {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fd, err := clone(path, flags)
		if err != nil {
			return err
		}
		mounts = append(mounts, detached{fd, path, info.IsDir()})
		return nil
	}
	if program == self {
		own, err := cloneSelf()
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, own)
	} else if err := add(program, unix.MOUNT_ATTR_NODEV); err != nil || len(mounts) == 0 {
		return mounts, errors.Join(err, os.ErrNotExist)
	}
	for _, path := range r.Paths {
		if err := add(path, unix.MOUNT_ATTR_NODEV); err != nil {
			return mounts, err
		}
	}
	for _, path := range r.Devices {
		if err := add(path, unix.MOUNT_ATTR_NOEXEC); err != nil {
			return mounts, err
		}
	}
	if r.Proc {
		fd, err := newMount("proc", "subset=pid")
		if err != nil {
			return mounts, err
		}
		mounts = append(mounts, detached{fd, "/proc", true})
	}
	return mounts, nil
}

// clone returns a detached read-only mount of what is at path (open_tree(2)).
func clone(path string, flags uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("mounting %s: %w", path, err)
	}
	attributes := unix.MountAttr{Attr_set: flags | unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attributes); err != nil {
		return -1, errors.Join(fmt.Errorf("mounting %s read-only: %w", path, err), unix.Close(fd))
	}
	return fd, nil
}

// cloneSelf returns a mount of this program. It is found by its path: by the link in /proc it
// is in the namespace of the parent, whence nothing can be mounted.
func cloneSelf() (detached, error) {
	path, err := os.Readlink(self)
	if err != nil {
		return detached{}, err
	}
	fd, err := clone(path, unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return detached{}, err
	}
	var here, there unix.Stat_t
	if err := errors.Join(unix.Stat(self, &here), unix.Fstat(fd, &there)); err != nil || here.Dev != there.Dev || here.Ino != there.Ino {
		return detached{}, errors.Join(fmt.Errorf("mounting %s: it is another program by now", path), err, unix.Close(fd))
	}
	return detached{fd, itself, false}, nil
}

// newMount returns a detached mount of a new file system of this kind.
func newMount(kind, option string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("making a %s: %w", kind, err)
	}
	defer func() { _ = unix.Close(fs) }()
	key, value, _ := strings.Cut(option, "=")
	if err := unix.FsconfigSetString(fs, key, value); err != nil {
		return -1, fmt.Errorf("making a %s with %s: %w", kind, option, err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("making a %s: %w", kind, err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, fmt.Errorf("making a %s: %w", kind, err)
	}
	return fd, nil
}

func attach(fd int, path string) error {
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mounting at %s: %w", path, err)
	}
	return nil
}

// fill attaches the mounts below the working directory.
func fill(mounts []detached) error {
	for _, m := range mounts {
		target := "." + filepath.Clean(m.target)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := m.makeTarget(target); err != nil {
			return err
		}
		if err := attach(m.fd, target); err != nil {
			return err
		}
	}
	return nil
}

// makeTarget makes what the mount covers.
func (m detached) makeTarget(path string) error {
	if m.dir {
		return os.MkdirAll(path, 0o755)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// pivot makes the working directory, which is the root of tree, the root, and leaves the
// old one (pivot_root(2), "pivot_root(".", ".")").
func pivot(tree int) error {
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
		return fmt.Errorf("making the root read-only: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	return unix.Chdir("/")
}
