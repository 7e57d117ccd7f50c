package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
)

// resizeUnmounted grows the file system of the last partition, also when the
// partition had its size already: an earlier run may have been interrupted. The
// file system is checked first, its journal replayed; one that is not clean
// after that is left alone. Afterwards it is checked once more, without changing it:
// that it was grown does not mean that it is sound.
func resizeUnmounted(ctx context.Context, r *Run) error {
	v, ok := r.volume(r.Resize)
	if !ok {
		return Skip("FixPartitionTable did not run")
	}
	kind := v.Kind()
	if kind.Mounted != nil {
		return Skip("the file system on %v grows while it is mounted", v)
	}
	if kind.Last {
		return Skip("NTFS on %v does not grow before the image is mounted", v)
	}
	if kind.Offline == nil {
		r.Warn("the file system on %v is not grown: %s", v, nameOf(v))
		return nil
	}
	if kind.Fills(v.Path) {
		return Skip("the file system on %v fills it", v)
	}
	if r.checked != v.Path {
		if err := r.checkVolume(ctx, v, true); err != nil {
			return err
		}
	}
	if err := timeLeft(ctx); err != nil {
		return fmt.Errorf("growing the file system: %w", err)
	}
	return r.growVolume(ctx, v, kind.Offline)
}

// checkVolume repairs a file system; without force only one that is not clean.
func (r *Run) checkVolume(ctx context.Context, v filesystem.Volume, force bool) error {
	kind := v.Kind()
	if kind.ReplayMounted {
		if err := r.tryMount(v); err != nil {
			return err
		}
	}
	repaired, err := kind.Check(ctx, v.Path, force)
	if repaired {
		r.Note("the file system of %v was repaired", v)
		if kind.Last {
			r.Warn("Windows was not shut down in order: the journal of %v was replayed", v)
		}
	}
	return checkAdvice(kind, err)
}

// checkAdvice adds what the administrator can do about an unclean file system.
func checkAdvice(k filesystem.Kind, err error) error {
	if errors.Is(err, filesystem.ErrUnclean) {
		where := ", in the image or by snf-image helper shell"
		if k.Last {
			where = " in Windows"
		}
		return outcome.Advise(err, "repair it with "+k.RepairBy+where)
	}
	return ntfsAdvice(err)
}

// growVolume erases what the file system is going to own, has it grown, and verifies
// that it is sound.
func (r *Run) growVolume(ctx context.Context, v filesystem.Volume, grow func(v filesystem.Volume, dir string, careful bool) error) error {
	kind := v.Kind()
	old, err := kind.Extent(v.Path)
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
	if size, sizeErr := kind.Extent(v.Path); sizeErr == nil && size != old {
		r.Note("the file system of %v grew from %d to %d bytes", v, old, size)
	}
	if err != nil {
		return growAdvice(kind, err)
	}
	if err := kind.Verify(ctx, v.Path); err != nil {
		return checkAdvice(kind, fmt.Errorf("after the file system was grown: %w", err))
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
func growAdvice(k filesystem.Kind, err error) error {
	if advised := ntfsAdvice(err); advised != err {
		return advised
	}
	remedy := "set the property EXCLUDE_TASK_" + strings.ToUpper(growthTask(k)) + "=yes to leave the file system as it is"
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
	case v.Type == filesystem.LVM:
		return "it is a physical volume of LVM, and the root is not in its group"
	case v.Missing() != "":
		return v.Missing() + " is not in this version"
	}
	return v.Type
}

// volume returns the volume of that name.
func (r *Run) volume(name string) (filesystem.Volume, bool) {
	for _, v := range r.Volumes {
		if v.Name == name {
			return v, true
		}
	}
	return filesystem.Volume{}, false
}
