package task

import (
	"context"
	"errors"
	"fmt"
	"os"

	"snf-image/internal/guest/partition"
)

// fixPartitionTable grows the partition that lies last to the end of the disk
// and adds the swap partition the plan asks for.
func fixPartitionTable(_ context.Context, r *Run) error {
	disk, err := os.OpenFile(r.Disks[0].Path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the disk: %w", err)
	}
	defer disk.Close()
	table, err := partition.Read(disk, r.Inspection.DiskBytes)
	if err != nil {
		return TableAdvice(err)
	}
	change, err := table.Grow(swapOf(r))
	if err != nil {
		return TableAdvice(err)
	}
	if change.Unreachable > 0 {
		r.Warn("an MBR reaches only the first 2 TiB of a disk: %d MiB at its end stay unused", change.Unreachable>>20)
	}
	if err := table.Write(disk); err != nil {
		return err
	}
	if err := r.Remap(0); err != nil {
		return fmt.Errorf("mapping the partitions anew: %w", err)
	}
	r.ResizePartition = change.Last
	if s := swapOf(r); s != nil {
		r.SwapPartition = s.Number
	}
	return nil
}

// swapOf returns the swap partition to add, nil for none.
func swapOf(r *Run) *partition.Swap {
	s := r.Plan.Swap
	if s == nil || s.Partition == 0 || r.Inspection.OSFamily != "linux" {
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
		return &Remedied{err, "give an image of a whole disk with an MBR or GPT partition table"}
	case errors.Is(err, partition.ErrDamaged):
		return &Remedied{err, "repair the partition table of the image, a GPT from its backup by sgdisk -e, an MBR by sfdisk"}
	case errors.Is(err, partition.ErrNoRoom):
		return &Remedied{err, "take a larger disk or a smaller SWAP"}
	}
	return err
}
