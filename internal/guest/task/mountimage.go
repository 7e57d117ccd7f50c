package task

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// mountImage mounts the root file system and what its fstab names.
func mountImage(_ context.Context, r *Run) error {
	root, err := r.rootVolume()
	if err != nil {
		return err
	}
	if err := r.mountRoot(root, "/etc"); err != nil {
		return err
	}
	if err := r.mountFstab(); err != nil {
		return err
	}
	if err := r.startLabels(); err != nil {
		return err
	}
	return r.settleCloudInit()
}

// otherRoot is what to do where the root file system is not what it should be.
const otherRoot = "correct the property ROOT_PARTITION"

// rootVolume returns the volume of the root file system.
func (r *Run) rootVolume() (filesystem.Volume, error) {
	root, ok := r.volume(r.Inspection.Root)
	if !ok {
		return root, outcome.Advise(fmt.Errorf("the disks have no volume %q", r.Inspection.Root), otherRoot)
	}
	return root, nil
}

// mountRoot mounts and opens the root file system of a system that has a directory dir.
func (r *Run) mountRoot(root filesystem.Volume, dir string) (err error) {
	if err := r.mount(root, r.Target); err != nil {
		return MountAdvice(err)
	}
	if r.Root, err = rootfs.Open(r.Target); err != nil {
		return err
	}
	r.Root.NoSync = !r.careful()
	if !r.Root.IsDir(dir) {
		return outcome.Advise(fmt.Errorf("%v has no directory %s", root, dir), otherRoot)
	}
	return nil
}

// settleCloudInit keeps the cloud-init of an image from running, or has one that is left to run
// begin anew. It comes first, so that CUSTOM_TASK may undo it. An installed machine is left as
// it is, with a warning where cloud-init could undo what is asked for.
func (r *Run) settleCloudInit() error {
	switch {
	case r.Plan.CloudInit:
		return nil
	case r.careful():
		undone := []string{spec.ChangePassword, spec.ConfigureNetwork, spec.DeleteSSHKeys}
		if !r.Plan.LeaveCloudInit && slices.ContainsFunc(undone, r.wanted) {
			cloudinit.WarnUnsettled(r.guest())
		}
		return nil
	case r.Plan.LeaveCloudInit:
		return cloudinit.Forget(r.guest())
	}
	return cloudinit.Disable(r.guest())
}

// mountFstab mounts what the image's fstab names.
func (r *Run) mountFstab() error {
	f, err := MountFstab(r.Root, r.Volumes, func(v filesystem.Volume, point string) error {
		return r.mount(v, filepath.Join(r.Target, point))
	})
	r.warnings = append(r.warnings, f.Warnings...)
	r.elsewhere = f.Elsewhere
	return err
}

// unmounted returns the mount point below which p lies, of a file system that
// the machine will mount there but that is not mounted now, or "".
func (r *Run) unmounted(p string) string {
	if dir, err := r.Root.RealPath(path.Dir(p)); err == nil {
		p = path.Join(dir, path.Base(p))
	}
	for _, point := range r.elsewhere {
		if strings.HasPrefix(p, point+"/") {
			return point
		}
	}
	return ""
}

// What the administrator can do about a file system that cannot be mounted.
const (
	WithoutFeatures = "make the file system without the features that the kernel of the helper does not know"
	RepairByHand    = "repair it with e2fsck -f (XFS: xfs_repair, btrfs: btrfs check), for example by snf-image helper shell"
	OnOneDevice     = "give an image whose file systems lie on one device each"
)

// MountAdvice adds to the error of a mount that the kernel refused what the
// administrator can do about it.
func MountAdvice(err error) error {
	_, refused := errors.AsType[unix.Errno](err)
	switch {
	case filesystem.Unsupported(err):
		return outcome.Advise(err, WithoutFeatures)
	case errors.Is(err, filesystem.ErrExternal):
		return outcome.Advise(err, OnOneDevice)
	case refused, errors.Is(err, filesystem.ErrUnclean):
		return outcome.Advise(err, RepairByHand)
	}
	return ntfsAdvice(err)
}

// mountBelowAdvice is MountAdvice for an entry of fstab, which can be left out.
func mountBelowAdvice(point string, err error) error {
	remedy := "give that entry of the image's /etc/fstab the option nofail"
	if r, ok := errors.AsType[*Remedied](MountAdvice(err)); ok {
		remedy = r.Remedy + ", or " + remedy
	}
	return outcome.Advise(fmt.Errorf("fstab entry for %s: %w", point, err), remedy)
}

// mount mounts a volume on a directory of the helper, with the kernel modules
// that takes. One on a disk that the host attached for reading only, as it does with all
// disks but the first, is mounted so.
func (r *Run) mount(v filesystem.Volume, dir string) error {
	if err := r.load(v); err != nil {
		return err
	}
	if v.Disk < len(r.Plan.Disks) && r.Plan.Disks[v.Disk].ReadOnly {
		_, err := filesystem.MountReadOnly(v, dir)
		return err
	}
	if err := filesystem.Mount(v, dir, r.careful()); err != nil {
		return err
	}
	if r.mounts == nil {
		r.mounts = map[string]string{}
	}
	r.mounts[v.Path] = dir
	return nil
}

// load loads the kernel modules that mounting v takes.
func (r *Run) load(v filesystem.Volume) error {
	for _, name := range v.Modules() {
		if err := r.Load(name); err != nil {
			return err
		}
	}
	return nil
}

// careful says that the disk must be in order at any moment. During a deployment
// it counts for nothing until the host has committed it.
func (r *Run) careful() bool { return r.Plan.Mode != spec.ModeDeploy }
