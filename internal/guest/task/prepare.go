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

// Recover has the journal of a living machine's root replayed where that is due: what the
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
		r.checked = grows
		if err := r.tryMount(v); err != nil {
			return err
		}
	}
	root, ok := r.volume(r.Inspection.Root)
	if !ok || root.Name == r.checked || root.Kind().Check == nil {
		return nil
	}
	if !r.wanted(spec.FixPartitionTable) || !r.wanted(spec.MountImage) {
		return nil // Recover has looked at it
	}
	return r.tryMount(root)
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
	table, change, err := r.foresee(disk)
	if _, skipped := errors.AsType[*Skipped](err); skipped {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	p, _ := table.Partition(change.Last)
	v, ok := r.volume(r.Disks[0].Volume(change.Last))
	if !ok || v.Kind().Offline == nil || !r.wanted(spec.FilesystemResizeUnmounted) {
		return "", nil
	}
	if err := v.Kind().CanFill(v.Path, p.Size); err != nil {
		return "", growAdvice(fmt.Errorf("growing the file system of partition %d to %d bytes: %w", p.Number, p.Size, err))
	}
	if change.Grown == 0 && v.Kind().Fills(v.Path) {
		return "", nil
	}
	return v.Name, nil
}

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
	return slices.Contains(r.Plan.Tasks, task) && !excluded
}
