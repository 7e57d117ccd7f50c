package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/partition"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// fixPartitionTable grows the partition that lies last to the end of the disk,
// unless the plan is about swap alone, and adds the swap partition the plan asks
// for.
func fixPartitionTable(ctx context.Context, r *Run) error {
	if r.tableless() {
		return r.fixNoTable(ctx)
	}
	disk, err := os.OpenFile(r.Disks[0].Path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the disk: %w", err)
	}
	defer disk.Close()
	table, change, err := r.foresee(disk)
	if err != nil {
		return err
	}
	r.warnOf(change)
	// Nobody may see the new partitions with signatures of former contents in them.
	if err := r.place(disk, table, change); err != nil {
		return err
	}
	if r.RecoveryMoved != 0 && !r.wanted(spec.InstallUnattend) {
		r.warnRecovery()
	}
	if err := r.placeSwap(disk, table, change.Moved); err != nil {
		return err
	}
	if err := table.Write(disk); err != nil {
		return err
	}
	r.noteTable(table)
	if err := r.Remap(0); err != nil {
		return fmt.Errorf("mapping the partitions anew: %w", err)
	}
	if err := verifyTable(disk, r.Inspection.DiskBytes, table); err != nil {
		return err
	}
	if s := swapOf(r); s != nil {
		r.SwapPartition = s.Number
	}
	if r.Plan.SwapOnly {
		return nil
	}
	r.Resize, err = r.growGroup(ctx, change.Last)
	return err
}

// fixNoTable has a disk that is one file system, which is going to grow with it.
func (r *Run) fixNoTable(ctx context.Context) (err error) {
	if swapOf(r) != nil {
		return outcome.Advise(errors.New("the disk has no partition table for a swap partition"), "leave out the property SWAP, or name a disk in it")
	}
	if r.Resize, err = r.growGroup(ctx, 0); err != nil || r.Resize != r.Disks[0].whole() {
		return err
	}
	return Skip("the disk has no partition table")
}

func (r *Run) warnOf(change partition.Change) {
	if change.Unreachable > 0 {
		r.Warn("an MBR reaches only the first 2 TiB of a disk: %d MiB at its end stay unused", change.Unreachable>>20)
	}
	if r.Plan.Properties[spec.PropGrow] != "" && change.Grown == 0 && change.Last != 0 {
		r.Warn("partition %d, which GROW chooses, does not grow: there is no room behind it", change.Last)
	}
	for _, n := range change.Stale {
		r.Warn("entry %d of the hybrid MBR is not equal to a partition of the GPT, and is left as it is", n)
	}
}

// noteTable notes which partitions were made or changed.
func (r *Run) noteTable(table *partition.Table) {
	for _, p := range table.Partitions {
		i := slices.IndexFunc(r.Inspection.Partitions, func(o report.Partition) bool { return o.Number == p.Number })
		switch {
		case i < 0:
			r.Note("partition %d was made, %d bytes", p.Number, p.Size)
		case r.Inspection.Partitions[i].Start != p.Start && !p.Extended:
			r.Note("partition %d was moved from byte %d to byte %d", p.Number, r.Inspection.Partitions[i].Start, p.Start)
		case r.Inspection.Partitions[i].Size != p.Size:
			r.Note("partition %d grew from %d to %d bytes", p.Number, r.Inspection.Partitions[i].Size, p.Size)
		}
	}
}

// verifyTable reads the table that was written.
func verifyTable(disk partition.Disk, size int64, want *partition.Table) error {
	got, err := partition.Read(disk, size)
	if err != nil {
		return fmt.Errorf("reading the partition table that was written: %w", err)
	}
	if !slices.Equal(got.Partitions, want.Partitions) {
		return errors.New("the partition table on the disk is not the one that was written")
	}
	return nil
}

// fit makes the changes of the plan to the table, in memory.
func fit(r *Run, table *partition.Table) (partition.Change, error) {
	swap := swapOf(r)
	switch {
	case !r.Plan.SwapOnly:
		return r.grow(table, swap)
	case swap != nil:
		return table.Add(swap)
	}
	return partition.Change{}, Skip("no swap partition is to be added")
}

// swapOf returns the swap partition to add, nil for none.
func swapOf(r *Run) *partition.Swap {
	s := r.Plan.Swap
	if s == nil || s.Partition == 0 || r.family() != inspect.Linux {
		return nil
	}
	return &partition.Swap{Number: s.Partition, MiB: s.MiB, UUID: r.Plan.SwapPartitionUUID}
}

// TableAdvice adds to an error of package partition what the administrator can
// do about it. Of a GPT only the primary table counts here, as for the kernel;
// sgdisk makes it anew from its backup whatever it is asked to write.
func TableAdvice(err error) error {
	switch {
	case errors.Is(err, partition.ErrNoTable):
		return outcome.Advise(err, "give an image of a whole disk with an MBR or GPT partition table")
	case errors.Is(err, partition.ErrDamaged):
		return outcome.Advise(err, "repair the partition table of the image, a GPT from its backup by sgdisk -e, an MBR by sfdisk")
	case errors.Is(err, partition.ErrSectors):
		return outcome.Advise(err, "make the image on a disk with sectors of 512 bytes")
	case errors.Is(err, partition.ErrTarget):
		return outcome.Advise(err, "correct the property GROW")
	case errors.Is(err, partition.ErrNoRoom):
		return outcome.Advise(err, "take a larger disk or a smaller SWAP")
	}
	return err
}
