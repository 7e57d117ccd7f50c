package task

import (
	"context"
	"fmt"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/lvm"
)

// inGroup returns the LVM volume that grows with partition n, and the group it is of. It is
// the root, or what GROW names, if the partition is a physical volume of its group.
func (r *Run) inGroup(n int) (filesystem.Volume, lvm.Group, bool) {
	name := r.GrowVolume
	if name == "" {
		name = r.Inspection.Root
	}
	grows, ok := r.volume(name)
	if !ok || grows.Logical == "" || grows.Disk != 0 {
		return grows, lvm.Group{}, false
	}
	for _, v := range r.Volumes { // that of a root in a subvolume of it
		if v.Path == grows.Path && v.Subvolume == "" {
			grows = v
		}
	}
	for _, g := range r.Groups {
		if _, ok := g.Store(r.store(n)); ok && g.Name == grows.Group {
			return grows, g, true
		}
	}
	return grows, lvm.Group{}, false
}

// store returns the device of partition n of the first disk, that of the disk for 0.
func (r *Run) store(n int) string {
	if n == 0 {
		return r.Disks[0].Path
	}
	return r.Disks[0].Partition(n)
}

// foreseeGroup returns how large the volume becomes when the physical volume on partition
// n has size bytes.
func (r *Run) foreseeGroup(v filesystem.Volume, g lvm.Group, n int, size int64) int64 {
	store, _ := g.Store(r.store(n))
	now, _ := g.Volume(v.Logical)
	if g.Missing > 0 {
		return now.Size
	}
	more := max(size-store.Start-store.Size, 0) / g.Extent * g.Extent
	return now.Size + store.Free + more
}

// growGroup has the physical volume on partition n grow to the size of the partition, and
// what is free in it then become part of the volume that grows. It returns the name of
// the volume whose file system grows: that one, or the partition where there is none.
func (r *Run) growGroup(ctx context.Context, n int) (string, error) {
	otherwise := r.Disks[0].whole()
	if n > 0 {
		otherwise = r.Disks[0].Volume(n)
	}
	v, g, ok := r.inGroup(n)
	if !ok {
		return otherwise, nil
	}
	if g.Missing > 0 {
		r.Warn("%v does not grow: %d physical volumes of its group are not on the disk", v, g.Missing)
		return v.Name, nil
	}
	if err := timeLeft(ctx); err != nil {
		return "", fmt.Errorf("growing %v: %w", v, err)
	}
	device := r.store(n)
	if err := lvm.Resize(ctx, device); err != nil {
		return "", err
	}
	if err := r.Remap(0); err != nil {
		return "", fmt.Errorf("mapping the LVM volumes anew: %w", err)
	}
	return v.Name, r.extend(ctx, v, n)
}

// extend gives to v what is free in the physical volume on partition n.
func (r *Run) extend(ctx context.Context, v filesystem.Volume, n int) error {
	_, g, ok := r.inGroup(n)
	store, has := g.Store(r.store(n))
	before, found := g.Volume(v.Logical)
	if !ok || !has || !found {
		return fmt.Errorf("growing %v: it is not there any more", v)
	}
	free := store.Free / g.Extent * g.Extent
	if free == 0 {
		return nil
	}
	if err := lvm.Extend(ctx, g, v.Logical, free, store.Device); err != nil {
		return err
	}
	if err := r.Remap(0); err != nil {
		return fmt.Errorf("mapping the LVM volumes anew: %w", err)
	}
	_, g, _ = r.inGroup(n)
	if after, _ := g.Volume(v.Logical); after.Size != before.Size+free {
		return fmt.Errorf("growing %v by %d bytes: it has %d, and had %d", v, free, after.Size, before.Size)
	}
	r.Note("%v grew from %d to %d bytes", v, before.Size, before.Size+free)
	return nil
}
