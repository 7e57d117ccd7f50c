package filesystem

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// flags are on every mount. A program that may run what the image holds gets a
// mount namespace in which noexec is taken away again.
const flags = unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC

// noPanic overrides what the image's superblock may ask for on an error in the
// file system: to bring the kernel down, and with it the account of the error.
const noPanic = "errors=remount-ro"

// driver returns the kernel's driver for a type of file system, and its options.
func driver(kind string) (name, options string, ok bool) {
	switch kind {
	case "ext2", "ext3", "ext4":
		return "ext4", noPanic, true
	case "vfat":
		return "vfat", "utf8", true
	}
	return "", "", false
}

// Mount mounts the volume on dir. Careful keeps the write barriers, so that the
// disk of a living machine survives whatever happens; without them it counts
// only after a flush, and many small changes cost far less.
func Mount(v Volume, dir string, careful bool) error {
	name, options, ok := driver(v.Type)
	if !ok {
		return unsupported(v)
	}
	if IsExt(v.Type) && !careful {
		options += ",barrier=0"
	}
	return mount(v, dir, name, options, flags)
}

// MountReadOnly mounts a volume on dir without changing a byte of it, until
// release: the journal is not replayed, and the device takes no writes, for the
// driver notes damage it meets in the superblock, mounted read-only or not.
func MountReadOnly(v Volume, dir string) (release func() error, err error) {
	name, options, ok := driver(v.Type)
	if !ok {
		return nil, unsupported(v)
	}
	if IsExt(v.Type) {
		options += ",noload"
	}
	writable, err := protect(v.Path)
	if err != nil {
		return nil, err
	}
	if err := mount(v, dir, name, options, flags|unix.MS_RDONLY); err != nil {
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
	return fmt.Errorf("mounting %s: %s is not in this version", v.Path, v.Type)
}

func mount(v Volume, dir, driver, options string, flags uintptr) error {
	kernel := openKernelLog()
	defer kernel.close()
	if err := unix.Mount(v.Path, dir, driver, flags, options); err != nil {
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
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("listing mounts: %w", err)
	}
	for _, point := range points(string(table), wanted) {
		if err := writeBack(point); err != nil {
			return err
		}
		if err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmounting %s: %w", point, err)
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

// points returns the mount points that are wanted, the last one first.
func points(table string, wanted func(source, point string) bool) []string {
	var points []string
	for line := range strings.Lines(table) {
		fields := strings.FieldsFunc(line, isBlank)
		if len(fields) < 2 {
			continue
		}
		if p := unquote(fields[1]); wanted(unquote(fields[0]), p) {
			points = append(points, p)
		}
	}
	slices.Reverse(points)
	return points
}
