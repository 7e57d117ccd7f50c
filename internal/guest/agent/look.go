package agent

import (
	"errors"
	"path/filepath"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/rootfs"
)

// maxFstab bounds the size of an fstab, in bytes.
const maxFstab = 1 << 20

// look mounts a volume read-only, and in it what its fstab names, and looks at
// the tree: /usr or /etc/ssh may lie elsewhere.
func (s *session) look(v filesystem.Volume, volumes []filesystem.Volume) (system inspect.System, err error) {
	release, err := filesystem.MountReadOnly(v, target)
	if err != nil {
		return system, err
	}
	defer func() { err = errors.Join(err, release()) }()
	root, err := rootfs.Open(target)
	if err != nil {
		return system, err
	}
	defer root.Close()
	releases := s.mountRest(root, volumes)
	system = inspect.Look(root)
	for _, release := range slices.Backward(releases) {
		err = errors.Join(err, release())
	}
	return system, err
}

// mountRest mounts what the fstab of root names as far as that can be done.
// MountImage tells what cannot.
func (s *session) mountRest(root *rootfs.Root, volumes []filesystem.Volume) (releases []func() error) {
	data, err := root.ReadFile("/etc/fstab", maxFstab)
	if err != nil {
		return nil
	}
	mounts, _, err := filesystem.Resolve(filesystem.ParseFstab(data), volumes)
	if err != nil {
		s.log.Info("looking at the root file system alone", "reason", err)
		return nil
	}
	for _, m := range mounts {
		point, err := root.RealPath(m.Point)
		if err != nil || point == "/" || !root.IsDir(point) {
			continue
		}
		release, err := s.mountOne(m.Volume, filepath.Join(target, point))
		if err != nil {
			s.log.Info("looking at the image without a file system", "point", m.Point, "reason", err)
			continue
		}
		releases = append(releases, release)
	}
	return releases
}

// mountOne mounts a volume read-only, with the kernel modules that takes.
func (s *session) mountOne(v filesystem.Volume, dir string) (release func() error, err error) {
	if err := loadModules(s.modules.Demand[v.Type]); err != nil {
		return nil, err
	}
	return filesystem.MountReadOnly(v, dir)
}
