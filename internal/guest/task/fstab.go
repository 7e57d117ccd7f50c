package task

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/fstab"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
)

// maxFstab bounds the size of an fstab, in bytes.
const maxFstab = 1 << 20

// Fstab is what became of the fstab of an image.
type Fstab struct {
	// Elsewhere are the real paths in the image of mount points at which the
	// machine will mount something, and nothing is mounted now.
	Elsewhere []string
	Warnings  []string
}

// MountFstab mounts what the fstab of the image in root names, parents first. The
// function mount gets a volume and the real path of its mount point in the image.
// An entry without which the machine does not boot must be mounted.
func MountFstab(root *rootfs.Root, volumes []filesystem.Volume, mount func(v filesystem.Volume, point string) error) (Fstab, error) {
	var f Fstab
	data, err := root.ReadFile("/etc/fstab", maxFstab)
	if rootfs.IsNotExist(err) {
		f.warn("the image has no /etc/fstab, only its root file system is mounted")
		return f, nil
	}
	if err != nil {
		return f, err
	}
	entries := fstab.Parse(data)
	mounts, warnings, err := fstab.Resolve(entries, volumes)
	if err != nil {
		return f, fstabAdvice(err)
	}
	f.Warnings = append(f.Warnings, warnings...)
	var mounted []string
	for _, m := range mounts {
		done, err := f.mountOne(root, m, mount)
		if err != nil {
			return f, err
		}
		if done {
			mounted = append(mounted, m.Point)
		}
	}
	f.Elsewhere = elsewhere(root, entries, mounted)
	return f, nil
}

func (f *Fstab) warn(format string, args ...any) {
	f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...))
}

// mountOne mounts m where its mount point leads inside the image. What the
// machine can do without is left out with a warning.
func (f *Fstab) mountOne(root *rootfs.Root, m fstab.Mounting, mount func(filesystem.Volume, string) error) (done bool, err error) {
	point, err := root.RealPath(m.Point)
	if err != nil || !root.IsDir(point) {
		f.warn("fstab: %s is not mounted: the image has no such directory", m.Point)
		return false, nil
	}
	if point == "/" {
		return false, fstabAdvice(fmt.Errorf("fstab entry for %s: %w", m.Point, fstab.ErrCoversRoot))
	}
	err = mount(m.Volume, point)
	switch {
	case err != nil && m.Optional:
		f.warn("fstab: %s is not mounted: %v", m.Point, err)
		return false, nil
	case err != nil:
		return false, mountBelowAdvice(m.Point, err)
	}
	return true, nil
}

// elsewhere returns the real paths of the entries' mount points besides those
// that are mounted.
func elsewhere(root *rootfs.Root, entries []fstab.Entry, mounted []string) []string {
	var points []string
	for _, e := range entries {
		point := path.Clean(e.Point)
		if !strings.HasPrefix(e.Point, "/") || slices.Contains(mounted, point) {
			continue
		}
		if real, err := root.RealPath(point); err == nil {
			point = real
		}
		if point != "/" {
			points = append(points, point)
		}
	}
	return points
}

func fstabAdvice(err error) error {
	if errors.Is(err, fstab.ErrCoversRoot) {
		return outcome.Advise(err, "correct the image's /etc/fstab")
	}
	if errors.Is(err, fstab.ErrNotPersistent) {
		return outcome.Advise(err, "use UUID= or LABEL= in the image's /etc/fstab, or the option nofail")
	}
	return outcome.Advise(err, "correct the image's /etc/fstab, or give that entry the option nofail")
}
