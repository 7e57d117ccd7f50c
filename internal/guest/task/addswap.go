package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
)

// addSwap makes swap space on the partition or disk the plan names, and an
// entry for it in the image's fstab.
func addSwap(_ context.Context, r *Run) error {
	s := r.Plan.Swap
	if s == nil {
		return Skip("no SWAP is asked for")
	}
	if r.Plan.CloudInit && s.Partition > 0 {
		return swapByCloudInit(r)
	}
	device, err := r.swapDevice()
	if err != nil {
		return err
	}
	if !r.Root.IsRegular("/etc/fstab") {
		return outcome.Advise(errors.New("the image has no /etc/fstab"), "add one to the image, or leave out the property SWAP")
	}
	former := filesystem.SwapUUID(device)
	if err := filesystem.MakeSwap(device, r.Plan.SwapUUID); err != nil {
		return err
	}
	return r.Root.Edit("/etc/fstab", func(old []byte) ([]byte, error) {
		return withSwap(withoutSwap(old, former), r.Plan.SwapUUID), nil
	})
}

// noSwap is addSwap on other systems.
func noSwap(_ context.Context, r *Run) error {
	if r.Plan.Swap == nil {
		return Skip("no SWAP is asked for")
	}
	r.Warn("SWAP is for Linux only")
	return Skip("the image is not Linux")
}

// swapDevice returns the device that becomes swap space.
func (r *Run) swapDevice() (string, error) {
	s := r.Plan.Swap
	switch {
	case s.Disk > 0 && s.Disk < len(r.Disks):
		if r.Disks[s.Disk].ReadOnly {
			return "", outcome.Advise(fmt.Errorf("disk %d is read-only", s.Disk), "choose another disk in the property SWAP")
		}
		return r.Disks[s.Disk].Path, nil
	case s.Partition > 0 && s.Partition == r.SwapPartition:
		return r.Disks[0].Partition(s.Partition), nil
	case s.Partition > 0:
		return "", outcome.Advise(
			fmt.Errorf("the swap partition %d was not made", s.Partition),
			"do not leave out FixPartitionTable when SWAP names a partition",
		)
	}
	return "", outcome.Advise(fmt.Errorf("there is no disk %d", s.Disk), "correct the property SWAP")
}

// withoutSwap removes the entry that an earlier run made for the same device: of
// the swap space with that UUID, nothing is left.
func withoutSwap(old []byte, uuid string) []byte {
	if uuid == "" {
		return old
	}
	entry := "UUID=" + uuid + " none swap sw 0 0"
	return slices.Concat(slices.DeleteFunc(bytes.SplitAfter(old, []byte("\n")), func(line []byte) bool {
		return string(bytes.TrimRight(line, "\r\n")) == entry
	})...)
}

// withSwap appends the entry to an fstab.
func withSwap(old []byte, uuid string) []byte {
	end := []byte("\n")
	if bytes.HasSuffix(old, []byte("\r\n")) {
		end = []byte("\r\n")
	}
	b := bytes.Clone(old)
	if len(b) > 0 && b[len(b)-1] != '\n' {
		b = append(b, end...)
	}
	return append(b, "UUID="+uuid+" none swap sw 0 0"+string(end)...)
}
