package task

import (
	"context"
	"errors"
	"fmt"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// resizeMounted grows the file system of the last partition, of a kind that grows while
// it is mounted. UmountImage looks afterwards whether it is sound.
func resizeMounted(ctx context.Context, r *Run) error {
	v, ok := r.volume(r.Resize)
	if !ok {
		return Skip("FixPartitionTable did not run")
	}
	kind := v.Kind()
	if kind.Mounted == nil {
		return Skip("the file system on %v does not grow while it is mounted", v)
	}
	if kind.Fills(v.Path) {
		return Skip("the file system on %v fills it", v)
	}
	dir, ok := r.mounts[v.Path]
	if !ok {
		r.Warn("the file system on %v is not grown: the image's /etc/fstab does not mount it", v)
		return nil
	}
	if err := timeLeft(ctx); err != nil {
		return fmt.Errorf("growing the file system: %w", err)
	}
	old, err := kind.Extent(v.Path)
	if err == nil {
		err = eraseBehind(v.Path, old)
	}
	if err != nil {
		return err
	}
	r.grown = append(r.grown, v)
	if err := kind.Mounted(v.Path, dir); err != nil {
		return growAdvice(kind, fmt.Errorf("growing the file system on %v: %w", v, err))
	}
	r.Note("the file system of %v grew from %d bytes", v, old)
	return nil
}

// extendWindows has Windows extend the file system of the partition that grew when it starts
// first. One that has been set up does not start first any more, and one that is sealed and was
// never deployed does not know of the script.
func extendWindows(_ context.Context, r *Run) error {
	n := r.extendedByWindows()
	switch {
	case n == 0:
		return Skip("no file system grows when Windows starts")
	case r.careful() && (r.sealed() != nil || r.prepared() != nil):
		r.Warn("the file system of partition %d is not extended: do so in Windows, with diskpart, or set OFFLINE_NTFSRESIZE", n)
		return nil
	}
	return windows.Extend(r.Root, n)
}

// verifyGrown looks, once they are unmounted, at the file systems that were grown while
// they were mounted: each has the size of its device, and is sound.
func (r *Run) verifyGrown(ctx context.Context) error {
	var err error
	for _, v := range r.grown {
		kind := v.Kind()
		if !kind.Fills(v.Path) {
			size, _ := kind.Extent(v.Path)
			err = errors.Join(err, growAdvice(kind, fmt.Errorf("growing the file system on %v: it has %d bytes, not all of it", v, size)))
			continue
		}
		if e := kind.Verify(ctx, v.Path); e != nil {
			err = errors.Join(err, checkAdvice(kind, fmt.Errorf("after the file system was grown: %w", e)))
		}
	}
	r.grown = nil
	return err
}

// growthTask returns the name of the task that grows a kind of file system, "" for none.
func growthTask(k filesystem.Kind) string {
	switch {
	case k.Last:
		return spec.FilesystemResizeAfterUmount
	case k.Offline != nil:
		return spec.FilesystemResizeUnmounted
	case k.Mounted != nil:
		return spec.FilesystemResizeMounted
	}
	return ""
}
