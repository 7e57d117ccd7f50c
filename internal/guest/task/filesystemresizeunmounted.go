package task

import (
	"context"
	"errors"

	"snf-image/internal/guest/filesystem"
)

// resizeUnmounted grows the file system of the last partition, also when the
// partition had its size already: an earlier run may have been interrupted. The
// file system is checked first, its journal replayed; one that is not clean
// after that is left alone.
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
	if err := filesystem.Check(ctx, v.Path, true); err != nil {
		return checkAdvice(err)
	}
	if err := filesystem.Grow(ctx, v.Path); err != nil {
		return &Remedied{err, "set the property EXCLUDE_TASK_FILESYSTEMRESIZEUNMOUNTED=yes to leave the file system as it is"}
	}
	return nil
}

// checkAdvice adds what the administrator can do about an unclean file system.
func checkAdvice(err error) error {
	if errors.Is(err, filesystem.ErrUnclean) {
		return &Remedied{err, "repair it with e2fsck, in the image or by snf-image helper shell"}
	}
	return err
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
