package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/partition"
	"snf-image/internal/spec"
)

// Recover has the journal of an installed machine's root replayed where that is due: what the
// machine wrote last is what Check has to see. A clean file system is left as it is.
func (r *Run) Recover(ctx context.Context) error {
	root, ok := r.volume(r.Inspection.Root)
	if !ok || !r.careful() || root.Kind().Check == nil {
		return nil
	}
	return r.checkVolume(ctx, root, false)
}

// Prepare refuses what cannot work, before anything is written. On the disk of a living
// machine it then makes sure of the file systems that the first tasks change: a
// partition table is not edited around one that needs a person to repair it, or that
// the kernel does not mount.
func (r *Run) Prepare(ctx context.Context) error {
	grows, err := r.foreseeGrowth()
	if err != nil || !r.careful() {
		return err
	}
	if v, ok := r.volume(grows); ok {
		if err := r.checkVolume(ctx, v, true); err != nil {
			return err
		}
		r.checked = v.Path
		if err := refuseMarked(ctx, v); err != nil {
			return err
		}
		if err := r.tryMount(v); err != nil {
			return err
		}
	}
	root, ok := r.volume(r.Inspection.Root)
	if !ok || root.Path == r.checked || root.Kind().Check == nil {
		return nil
	}
	if !r.wanted(spec.FixPartitionTable) || !r.wanted(spec.MountImage) {
		return nil // Recover has looked at it
	}
	return r.tryMount(root)
}

// refuseMarked refuses an NTFS file system that is going to grow here and is marked to be
// checked by Windows: its tool would, when all else is done.
func refuseMarked(ctx context.Context, v filesystem.Volume) error {
	marked := v.Kind().Marked
	if marked == nil {
		return nil
	}
	is, err := marked(ctx, v.Path)
	if err == nil && is {
		err = fmt.Errorf("nothing is changed, since the file system of %v cannot be grown: %w", v, filesystem.ErrMarked)
	}
	return ntfsAdvice(err)
}

// tryMount mounts v for writing, as tasks are going to, and unmounts it.
func (r *Run) tryMount(v filesystem.Volume) error {
	if err := r.mount(v, r.Target); err != nil {
		return MountAdvice(err)
	}
	return filesystem.Unmount(r.Target)
}

// foreseeGrowth returns the name of the volume whose file system is going to grow, "" for
// none. Its error is what cannot work on the first disk: a partition table that
// cannot be edited, and a file system that cannot become as large as its partition.
func (r *Run) foreseeGrowth() (string, error) {
	if !r.wanted(spec.FixPartitionTable) {
		return "", nil
	}
	disk, err := os.Open(r.Disks[0].Path)
	if err != nil {
		return "", fmt.Errorf("opening the disk: %w", err)
	}
	defer disk.Close()
	if r.tableless() {
		return r.foreseeIn(0, r.Inspection.DiskBytes)
	}
	table, change, err := r.foresee(disk)
	if _, skipped := errors.AsType[*Skipped](err); skipped {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	p, _ := table.Partition(change.Last)
	if v, ok := r.volume(r.Disks[0].Volume(change.Last)); ok && change.Grown == 0 && fills(v) {
		return "", nil
	}
	return r.foreseeIn(change.Last, p.Size)
}

// foreseeIn returns the name of the volume that is going to grow in partition n, or on the
// disk without a table for 0, when that has size bytes.
func (r *Run) foreseeIn(n int, size int64) (string, error) {
	if v, g, ok := r.inGroup(n); ok {
		now, _ := g.Volume(v.Logical)
		size := r.foreseeGroup(v, g, n, size)
		if size == now.Size && fills(v) {
			return "", nil
		}
		return r.foreseeSize(v.Name, size)
	}
	if n == 0 {
		return r.foreseeSize(r.Disks[0].whole(), size)
	}
	return r.foreseeSize(r.Disks[0].Volume(n), size)
}

func fills(v filesystem.Volume) bool {
	fills := v.Kind().Fills
	return fills != nil && fills(v.Path)
}

// foreseeSize returns the name of the volume if its file system is going to grow to a
// number of bytes.
func (r *Run) foreseeSize(name string, size int64) (string, error) {
	v, ok := r.volume(name)
	kind := v.Kind()
	if !ok || !r.wanted(growthTask(kind)) {
		return "", nil
	}
	if kind.Last && !r.growsLast() {
		return "", nil
	}
	if err := kind.CanFill(v.Path, size); err != nil {
		return "", growAdvice(kind, fmt.Errorf("growing the file system of %v to %d bytes: %w", v, size, err))
	}
	return name, nil
}

// tableless reports whether the first disk is one file system, without a partition table.
func (r *Run) tableless() bool { return r.Inspection != nil && r.Inspection.Table == "none" }

// foresee reads the table and changes it in memory.
func (r *Run) foresee(disk *os.File) (*partition.Table, partition.Change, error) {
	table, err := partition.Read(disk, r.Inspection.DiskBytes)
	if err != nil {
		return nil, partition.Change{}, TableAdvice(err)
	}
	change, err := fit(r, table)
	if err != nil {
		return nil, change, TableAdvice(err)
	}
	return table, change, nil
}

// wanted reports whether a task is planned and not left out.
func (r *Run) wanted(task string) bool {
	_, excluded := r.Plan.Exclude[task]
	return slices.Contains(r.Plan.Tasks, task) && !excluded && !slices.Contains(r.Plan.Idle, task)
}
