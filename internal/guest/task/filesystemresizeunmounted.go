package task

import (
	"context"
	"errors"
	"fmt"
	"os"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
)

// resizeUnmounted grows the file system of the last partition, also when the
// partition had its size already: an earlier run may have been interrupted. The
// file system is checked first, its journal replayed; one that is not clean
// after that is left alone. Afterwards it is checked once more, without changing it:
// that it was grown does not mean that it is sound.
func resizeUnmounted(ctx context.Context, r *Run) error {
	v, ok := r.volume(0, r.ResizePartition)
	if !ok {
		return Skip("FixPartitionTable did not run")
	}
	if !filesystem.IsExt(v.Type) {
		r.Warn("the file system on partition %d is not grown: %s", v.Number, nameOf(v))
		return nil
	}
	if filesystem.Fills(v.Path) {
		return Skip("the file system on partition %d fills it", v.Number)
	}
	if r.checked != v.Number {
		if err := r.checkVolume(ctx, v, true); err != nil {
			return err
		}
	}
	if err := timeLeft(ctx); err != nil {
		return fmt.Errorf("growing the file system: %w", err)
	}
	return r.growVolume(ctx, v, filesystem.Grow)
}

// checkVolume repairs an ext file system; without force only one that is not clean.
func (r *Run) checkVolume(ctx context.Context, v filesystem.Volume, force bool) error {
	repaired, err := filesystem.Check(ctx, v.Path, force)
	if repaired {
		r.Note("the file system of partition %d was repaired", v.Number)
	}
	return checkAdvice(err)
}

// checkAdvice adds what the administrator can do about an unclean file system.
func checkAdvice(err error) error {
	if errors.Is(err, filesystem.ErrUnclean) {
		return outcome.Advise(err, "repair it with e2fsck, in the image or by snf-image helper shell")
	}
	return err
}

// growVolume erases what the file system is going to own, has it grown, and verifies
// that it is sound.
func (r *Run) growVolume(ctx context.Context, v filesystem.Volume, grow func(v filesystem.Volume, dir string, careful bool) error) error {
	old, err := filesystem.Extent(v.Path)
	if err == nil {
		err = eraseBehind(v.Path, old)
	}
	if err == nil {
		err = r.load(v)
	}
	if err != nil {
		return err
	}
	err = grow(v, r.Target, r.careful())
	if size, sizeErr := filesystem.Extent(v.Path); sizeErr == nil && size != old {
		r.Note("the file system of partition %d grew from %d to %d bytes", v.Number, old, size)
	}
	if err != nil {
		return growAdvice(err)
	}
	if err := filesystem.Verify(ctx, v.Path); err != nil {
		return checkAdvice(fmt.Errorf("after the file system was grown: %w", err))
	}
	return nil
}

// eraseBehind erases signatures of former contents behind the first bytes of a device.
func eraseBehind(device string, owned int64) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	return filesystem.Erase(f, filesystem.Claim{New: owned, End: size})
}

// growAdvice adds what the administrator can do about a file system that cannot grow.
func growAdvice(err error) error {
	remedy := "set the property EXCLUDE_TASK_FILESYSTEMRESIZEUNMOUNTED=yes to leave the file system as it is"
	if _, ok := errors.AsType[*filesystem.LimitError](err); ok {
		remedy = "take a disk that is not larger than that, or " + remedy
	}
	return outcome.Advise(err, remedy)
}

// nameOf names the file system on v for a warning.
func nameOf(v filesystem.Volume) string {
	switch {
	case v.Type == "":
		return "no known file system"
	case filesystem.Missing(v.Type) != "":
		return filesystem.Missing(v.Type) + " is not in this version"
	}
	return v.Type
}

// volume returns what is known about a partition.
func (r *Run) volume(disk, number int) (filesystem.Volume, bool) {
	for _, v := range r.Volumes {
		if v.Disk == disk && v.Number == number {
			return v, true
		}
	}
	return filesystem.Volume{}, false
}
