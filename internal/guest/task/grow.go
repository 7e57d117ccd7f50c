package task

import (
	"cmp"
	"fmt"
	"strconv"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/partition"
	"snf-image/internal/spec"
)

// Types that blkid has for swap space, and for such that holds a hibernated system.
const (
	swapType      = "swap"
	suspendedType = "swsuspend"
)

// grow grows the table in memory: the partition that GROW chooses, by default the one that
// lies last, or the one before it if that is swap space.
func (r *Run) grow(table *partition.Table, swap *partition.Swap) (partition.Change, error) {
	request := partition.Request{Target: r.target(table), Swap: swap}
	last := lastOf(table.Partitions)
	if p, ok := r.recoveryLast(table); ok && request.Target != p.Number {
		if !r.movesRecovery(table, p) {
			r.Warn("partition %d, from which Windows repairs itself, lies last and stays where it is: nothing grows past it", p.Number)
			return partition.Change{}, Skip("partition %d, for recovery, lies last", p.Number)
		}
		request.Move = last
	}
	switch v, _ := r.volume(r.Disks[0].Volume(last)); {
	case v.Type == swapType:
		request.Move = last
	case v.Type == suspendedType && request.Target == 0:
		return partition.Change{}, outcome.Advise(fmt.Errorf("%v, the last one, holds a hibernated system: nothing grows past it", v),
			"start that system and shut it down, or choose what grows by the property GROW")
	}
	return table.Grow(request)
}

// target returns the number of the partition that GROW chooses, 0 for the default. A volume
// of LVM has its group's last one.
func (r *Run) target(table *partition.Table) int {
	v, ok := r.volume(r.GrowVolume)
	if !ok {
		n, _ := strconv.Atoi(r.Plan.Properties[spec.PropGrow]) // not a number: a mount point
		return n
	}
	if v.Logical == "" {
		return v.Number
	}
	var stores []partition.Partition
	for _, g := range r.Groups {
		for _, p := range table.Partitions {
			if _, ok := g.Store(r.store(p.Number)); ok && g.Name == v.Group {
				stores = append(stores, p)
			}
		}
	}
	return cmp.Or(lastOf(stores), v.Number)
}

// lastOf returns the number of the partition that lies last, 0 for none.
func lastOf(partitions []partition.Partition) int {
	var last partition.Partition
	for _, p := range partitions {
		if !p.Extended && p.End() > last.End() {
			last = p
		}
	}
	return last.Number
}

// placeSwap makes the swap space of a partition that is going to be moved anew where it
// will be, with UUID and label of the old one, which stays valid until the table is written.
func (r *Run) placeSwap(disk filesystem.Store, table *partition.Table, moved int) error {
	p, ok := table.Partition(moved)
	if !ok {
		return nil
	}
	v, _ := r.volume(r.Disks[0].Volume(moved))
	if v.Type != swapType {
		return nil
	}
	return filesystem.PlaceSwap(disk, p.Start, p.Size, v.UUID, v.Label)
}
