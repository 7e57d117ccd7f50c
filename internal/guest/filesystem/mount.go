package filesystem

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// flags are on every mount. A program that may run what the image holds gets a
// mount namespace in which noexec is taken away again.
const flags = unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC

// noPanic overrides what the image's superblock may ask for on an error in the
// file system: to bring the kernel down, and with it the account of the error.
const noPanic = "errors=remount-ro"

// Mount mounts the volume on dir. Careful keeps the write barriers, so that the
// disk of an installed machine survives whatever happens; without them it counts
// only after a flush, and many small changes cost far less.
func Mount(v Volume, dir string, careful bool) error {
	k := v.Kind()
	options := k.Options
	if !careful {
		options = join(options, k.Hasty)
	}
	return mount(v, dir, options, flags)
}

// MountReadOnly mounts a volume on dir without changing a byte of it, until
// release: the journal is not replayed, and the device takes no writes, for the
// driver notes damage it meets in the superblock, mounted read-only or not.
func MountReadOnly(v Volume, dir string) (release func() error, err error) {
	k := v.Kind()
	if k.Driver == "" {
		return nil, unsupported(v)
	}
	writable, err := protect(v.Path)
	if err != nil {
		return nil, err
	}
	if err := mount(v, dir, join(k.Options, k.ReadOnly), flags|unix.MS_RDONLY); err != nil {
		return nil, errors.Join(err, writable())
	}
	return func() error { return errors.Join(Unmount(dir), writable()) }, nil
}

// protect makes a block device read-only, and returns how to undo that.
func protect(device string) (undo func() error, err error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if ro, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET); err != nil || ro&1 != 0 {
		return func() error { return nil }, err
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.BLKROSET, 1); err != nil {
		return nil, fmt.Errorf("making %s read-only: %w", device, err)
	}
	return func() error { return unprotect(device) }, nil
}

func unprotect(device string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.BLKROSET, 0); err != nil {
		return fmt.Errorf("making %s writable again: %w", device, err)
	}
	return nil
}

func unsupported(v Volume) error {
	if v.Type == "" {
		return fmt.Errorf("mounting %s: no known file system on it", v.Path)
	}
	if name := v.Missing(); name != "" && v.Path == "" {
		return fmt.Errorf("mounting %v: %s is not in this version", v, name)
	}
	return fmt.Errorf("mounting %s: %s is not in this version", v.Path, v.Type)
}

// join joins lists of mount options.
func join(options, more string) string {
	return strings.Trim(options+","+more, ",")
}

func mount(v Volume, dir, options string, flags uintptr) error {
	k := v.Kind()
	if k.Driver == "" {
		return unsupported(v)
	}
	if k.Supports != nil {
		if err := k.Supports(v.Path); err != nil {
			return fmt.Errorf("mounting %s (%s): %w", v.Path, v.Type, err)
		}
	}
	if k.Mount != nil {
		if err := k.Mount(v.Path, dir, options, flags); err != nil {
			return fmt.Errorf("mounting %s (%s) on %s: %w", v.Path, v.Type, dir, err)
		}
		return nil
	}
	kernel := openKernelLog()
	defer kernel.close()
	if err := unix.Mount(v.Path, dir, k.Driver, flags, join(options, v.Subvolume)); err != nil {
		return fmt.Errorf("mounting %s (%s) on %s: %w", v.Path, v.Type, dir, kernel.explain(err))
	}
	return nil
}

// Unmount writes everything back and unmounts dir and all that is mounted below
// it, the last mount first.
func Unmount(dir string) error {
	return unmount(func(_, point string) bool {
		return point == dir || strings.HasPrefix(point, dir+"/")
	})
}

// UnmountDevices does the same for every mount of a device whose path begins
// with prefix, wherever it is.
func UnmountDevices(prefix string) error {
	return unmount(func(source, _ string) bool { return strings.HasPrefix(source, prefix) })
}

func unmount(wanted func(source, point string) bool) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !wanted(m.Source, m.Mountpoint), false
	})
	if err != nil {
		return fmt.Errorf("listing mounts: %w", err)
	}
	for _, m := range slices.Backward(mounts) {
		if err := writeBack(m.Mountpoint); err != nil {
			return err
		}
		if err := unix.Unmount(m.Mountpoint, unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmounting %s: %w", m.Mountpoint, err)
		}
	}
	return nil
}

// writeBack waits until everything is on the disk. Unmounting does, too, but keeps what
// went wrong meanwhile to itself (syncfs(2)).
func writeBack(point string) error {
	fd, err := unix.Open(point, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", point, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Syncfs(fd); err != nil {
		return fmt.Errorf("writing back what is mounted on %s: %w", point, err)
	}
	return nil
}
