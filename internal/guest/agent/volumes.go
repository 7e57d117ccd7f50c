package agent

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"snf-image/internal/guest/devmapper"
	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/lvm"
	"snf-image/internal/guest/partition"
)

// mapVolumes reads the LVM groups of the disk, if it has any, and maps what of their
// volumes can be mapped.
func (d *disk) mapVolumes(ctx context.Context) error {
	d.groups = nil
	stores := d.stores()
	if len(stores) == 0 {
		return nil
	}
	groups, err := lvm.Read(ctx)
	if err != nil {
		return err
	}
	for _, device := range stores {
		if !slices.ContainsFunc(groups, func(g lvm.Group) bool { _, ok := g.Store(device); return ok }) {
			err = fmt.Errorf("the LVM physical volume on %s is of no volume group that can be read", device)
		}
	}
	n := 0
	for _, g := range groups {
		for _, v := range g.Volumes {
			n++
			if v.Refused != "" {
				continue
			}
			name := d.volumeName(n)
			if _, err := devmapper.Create(name, pieces(v), d.ReadOnly); err != nil {
				return err
			}
			d.mapped = append(d.mapped, name)
		}
	}
	d.groups = groups
	return err
}

// stores returns the devices that are physical volumes: partitions of the disk, or the
// disk without a table.
func (d *disk) stores() []string {
	if d.table == nil {
		return slices.DeleteFunc([]string{d.Path}, func(p string) bool { return !lvm.IsStore(p) })
	}
	var stores []string
	for _, p := range d.table.Partitions {
		if device := d.Partition(p.Number); !p.Extended && lvm.IsStore(device) {
			stores = append(stores, device)
		}
	}
	return stores
}

// volumeName returns the name of the mapping of the n-th volume: names of the image can
// hold anything.
func (d *disk) volumeName(n int) string { return d.name + "-lv" + strconv.Itoa(n) }

// pieces returns how a volume is mapped.
func pieces(v lvm.Volume) []devmapper.Piece {
	var pieces []devmapper.Piece
	for _, s := range v.Segments {
		var stripes []devmapper.Linear
		for _, at := range s.Stripes {
			stripes = append(stripes, devmapper.Linear{
				Device: at.Device, Offset: uint64(at.Offset) / partition.SectorSize, Length: uint64(s.Length) / partition.SectorSize,
			})
		}
		if len(stripes) == 1 {
			pieces = append(pieces, stripes[0])
			continue
		}
		pieces = append(pieces, devmapper.Striped{
			Stripes: stripes, Chunk: uint64(s.Chunk) / partition.SectorSize, Length: uint64(s.Length) / partition.SectorSize,
		})
	}
	return pieces
}

// logical lists the LVM volumes of the disk as volumes that hold a file system; what is
// not mapped has a type that says so and no device. Each counts as part of the partition
// it begins in.
func (d *disk) logical(index int) []filesystem.Volume {
	var volumes []filesystem.Volume
	n := 0
	for _, g := range d.groups {
		for _, v := range g.Volumes {
			n++
			number := d.partitionOf(g, v)
			parent := d.name
			if number > 0 {
				parent = d.Volume(number)
			}
			entry := filesystem.Volume{
				Name: fmt.Sprintf("%s:%s", parent, v.Name), Parent: parent, Disk: index, Number: number,
				Type: v.Refused, Group: g.Name, Logical: v.Name,
			}
			if v.Refused == "" {
				entry.Path = "/dev/" + d.volumeName(n)
			}
			volumes = append(volumes, entry)
		}
	}
	return volumes
}

// partitionOf returns the partition that v begins in, that of the group's first physical
// volume when v is not mapped; 0 for a disk without a table.
func (d *disk) partitionOf(g lvm.Group, v lvm.Volume) int {
	var device string
	if len(v.Segments) > 0 && len(v.Segments[0].Stripes) > 0 {
		device = v.Segments[0].Stripes[0].Device
	} else if len(g.Stores) > 0 {
		device = g.Stores[0].Device
	}
	for _, p := range d.parts() {
		if d.Partition(p.Number) == device {
			return p.Number
		}
	}
	return 0
}
