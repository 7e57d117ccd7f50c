package agent

import (
	"errors"
	"path/filepath"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/modules"
	"snf-image/internal/guest/platform"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/task"
	"snf-image/internal/spec"
)

const secondsOfDay = 24 * 60 * 60

// look mounts a volume, and what its fstab names, and looks at the tree.
func (s *session) look(v filesystem.Volume, volumes []filesystem.Volume) (system inspect.System, err error) {
	err = s.within(v, volumes, false, func(root *rootfs.Root, problem error) error {
		system = inspect.Look(root, s.plan.UnixTime/secondsOfDay)
		if s.processor = ""; s.plan.Mode != spec.ModeCustomize { // a machine that is there runs on its own
			s.processor = platform.Processor(root)
		}
		if problem != nil && s.plan.Mode == spec.ModeInspect { // else MountImage fails with it
			system.Warnings = append(system.Warnings, "only the root file system was looked at: "+problem.Error())
		}
		return nil
	})
	return system, err
}

// within mounts a volume read-only, and in it what its fstab names, for see: /usr
// or /etc/ssh may lie elsewhere. see is told what kept an entry from being mounted;
// where strict, a file system that the kernel does not mount counts, too.
func (s *session) within(v filesystem.Volume, volumes []filesystem.Volume, strict bool, see func(root *rootfs.Root, problem error) error) (err error) {
	release, err := s.mountOne(v, target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	root, err := rootfs.Open(target)
	if err != nil {
		return err
	}
	defer root.Close()
	releases, problem := s.mountRest(root, volumes, strict)
	err = see(root, problem)
	for _, release := range slices.Backward(releases) {
		err = errors.Join(err, release())
	}
	return err
}

// mountRest mounts what the fstab of root names as far as that can be done, by
// the code of MountImage, which tells what cannot.
func (s *session) mountRest(root *rootfs.Root, volumes []filesystem.Volume, strict bool) (releases []func() error, err error) {
	s.seen = nil
	_, err = task.MountFstab(root, volumes, func(v filesystem.Volume, point string) error {
		release, err := s.mountOne(v, filepath.Join(target, point))
		if err != nil {
			if strict {
				return err
			}
			s.log.Info("looking at the image without a file system", "point", point, "reason", err)
			return nil
		}
		releases, s.seen = append(releases, release), append(s.seen, v.Name)
		return nil
	})
	if err != nil {
		s.log.Info("not all of the image's fstab is mounted to look at it", "reason", err)
	}
	return releases, err
}

// mountOne mounts a volume read-only, with the kernel modules that takes.
func (s *session) mountOne(v filesystem.Volume, dir string) (release func() error, err error) {
	if err := modules.Load(s.modules.Demand[v.Kind().Driver]); err != nil {
		return nil, err
	}
	return filesystem.MountReadOnly(v, dir)
}
