package task

import (
	"context"
	"errors"
	"fmt"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/spec"
)

// resizeAfterUmount grows NTFS, which is marked to be checked afterwards. Windows grows its
// own when it starts first, unless this is asked for.
func resizeAfterUmount(ctx context.Context, r *Run) error {
	v, ok := r.volume(r.Resize)
	if !ok {
		return Skip("FixPartitionTable did not run")
	}
	kind := v.Kind()
	switch {
	case !kind.Last:
		return Skip("the file system on %v is not NTFS", v)
	case !r.growsLast():
		return Skip("Windows grows the file system on %v when it starts", v)
	case kind.Fills(v.Path):
		return Skip("the file system on %v fills it", v)
	}
	if err := r.checkVolume(ctx, v, true); err != nil {
		return err
	}
	if err := timeLeft(ctx); err != nil {
		return fmt.Errorf("growing the file system: %w", err)
	}
	if err := r.growVolume(ctx, v, kind.Offline); err != nil {
		return err
	}
	if !r.Plan.Boolean(spec.PropNTFSNoCheck) {
		return nil
	}
	return filesystem.Unmark(ctx, v)
}

// growsLast reports whether what grows when all else is done is grown in the helper.
func (r *Run) growsLast() bool {
	return r.family() != inspect.Windows || r.Plan.Boolean(spec.PropNTFSResize)
}

// extendedByWindows returns the number of the partition whose file system Windows has to
// grow when it starts, 0 for none.
func (r *Run) extendedByWindows() int {
	v, ok := r.volume(r.Resize)
	if !ok || v.Disk != 0 || !v.Kind().Last || r.growsLast() || fills(v) {
		return 0
	}
	return v.Number
}

// supported reports whether this version has what a family of systems needs.
func supported(family string) bool {
	need := spec.MountImage
	if family == inspect.Windows || family == inspect.WindowsLegacy {
		need = spec.InstallUnattend
	}
	s, ok := find(need)
	return ok && s.on(family) != nil
}

// Supported returns why the tasks cannot be run on a family of systems, or nil.
func Supported(family string) error {
	if supported(family) {
		return nil
	}
	return outcome.Advise(errors.New(family+" images: not in this version"), "give an image of Linux, or set EXCLUDE_ALL_TASKS=yes to leave the image as it is")
}
