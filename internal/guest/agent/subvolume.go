package agent

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/fstab"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/rootfs"
)

// topLevel selects the top level of a btrfs file system.
const topLevel = "subvolid=5"

// Bounds of the search for subvolumes: how deep they lie, and how many are looked at.
const (
	maxDepth      = 2
	maxSubvolumes = 64
	maxTable      = 1 << 20 // bytes of an fstab
)

// lookIn looks for a system on v and, where there are such, in its subvolumes: first in
// the default one, which is mounted without an option. It returns where it is.
func (s *session) lookIn(v filesystem.Volume, volumes []filesystem.Volume) (filesystem.Volume, inspect.System, error) {
	system, err := s.look(v, volumes)
	if err != nil || system.Family != "" || !v.Kind().Subvolumes {
		return v, system, err
	}
	subvolumes, err := s.subvolumes(v)
	if err != nil {
		return v, system, err
	}
	for _, sub := range subvolumes {
		found, err := s.look(sub, volumes)
		if err != nil || found.Family != "" {
			return sub, found, err
		}
	}
	return v, system, nil
}

// subvolumes returns the subvolumes of v that hold a directory /etc, as volumes of their
// own; first those whose fstab says that they are the root.
func (s *session) subvolumes(v filesystem.Volume) (found []filesystem.Volume, err error) {
	top := v
	top.Subvolume = topLevel
	release, err := s.mountOne(top, target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var others []filesystem.Volume
	for _, p := range listSubvolumes(target) {
		sub := v
		sub.Name, sub.Parent, sub.Subvolume = v.Name+":"+p, v.Name, "subvol=/"+p
		switch own, err := namesItself(filepath.Join(target, p), p); {
		case err != nil:
			s.log.Info("a subvolume is not looked at", "subvolume", p, "reason", err)
		case own:
			found = append(found, sub)
		default:
			others = append(others, sub)
		}
	}
	return append(found, others...), nil
}

// listSubvolumes returns the paths, below the top level mounted on dir, of subvolumes with
// a directory /etc.
func listSubvolumes(dir string) []string {
	var found []string
	var search func(at string, depth int)
	search = func(at string, depth int) {
		entries, err := os.ReadDir(filepath.Join(dir, at))
		if err != nil || depth > maxDepth {
			return
		}
		for _, e := range entries {
			p := path.Join(at, e.Name())
			if !e.IsDir() || len(found) == maxSubvolumes || !selectable(e.Name()) {
				continue
			}
			if isSubvolume(filepath.Join(dir, p)) && isDirectory(filepath.Join(dir, p, "etc")) {
				found = append(found, p)
				continue
			}
			search(p, depth+1)
		}
	}
	search("", 1)
	return found
}

// selectable reports whether a name can stand in a mount option.
func selectable(name string) bool { return !strings.ContainsAny(name, ",\\ \t\n\"") }

// isSubvolume reports whether a directory of btrfs is the root of a subvolume.
func isSubvolume(dir string) bool {
	const root = 256 // BTRFS_FIRST_FREE_OBJECTID of linux/btrfs_tree.h
	var st unix.Stat_t
	return unix.Lstat(dir, &st) == nil && st.Ino == root
}

func isDirectory(p string) bool {
	info, err := os.Lstat(p)
	return err == nil && info.IsDir()
}

// namesItself reports whether the fstab of the system in dir mounts the subvolume p as the
// root.
func namesItself(dir, p string) (bool, error) {
	root, err := rootfs.Open(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	data, err := root.ReadFile("/etc/fstab", maxTable)
	if rootfs.IsNotExist(err) {
		return false, nil
	}
	return slices.ContainsFunc(fstab.Parse(data), func(e fstab.Entry) bool {
		return e.Point == "/" && slices.ContainsFunc(e.Options, func(o string) bool {
			name, ok := strings.CutPrefix(o, "subvol=")
			return ok && strings.Trim(name, "/") == p
		})
	}), err
}
