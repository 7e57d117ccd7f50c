package agent

import (
	"context"
	"errors"
	"fmt"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// describe reports the first disk's table, LVM volumes and file systems.
func (s *session) describe(volumes []filesystem.Volume) *report.Inspection {
	d := s.disks[0]
	found := &report.Inspection{Table: "none", DiskBytes: d.bytes, SmallestDisk: d.bytes}
	if d.table != nil {
		found.Table, found.TableID = string(d.table.Kind), d.table.ID
		found.SmallestDisk, found.LargestDisk = d.table.SmallestDisk(), d.table.LargestDisk()
	}
	for _, p := range d.parts() {
		entry := report.Partition{Number: p.Number, Start: p.Start, Size: p.Size, Type: p.Type, Name: p.Name, UUID: p.UUID}
		if v, ok := find(volumes, p.Number); ok {
			entry.Contents = contents(v)
		}
		found.Partitions = append(found.Partitions, entry)
	}
	for _, v := range volumes {
		if v.Disk == 0 && v.Logical != "" {
			found.Volumes = append(found.Volumes, report.Volume{
				Group: v.Group, Name: v.Logical, Partition: v.Number, Size: d.sizeOf(v), Contents: contents(v),
			})
		}
	}
	return found
}

func contents(v filesystem.Volume) report.Contents {
	return report.Contents{Filesystem: v.Type, Label: v.Label, FSUUID: v.UUID, Features: filesystem.Features(v)}
}

// sizeOf returns the size in bytes of a volume of LVM.
func (d *disk) sizeOf(v filesystem.Volume) int64 {
	for _, g := range d.groups {
		if l, ok := g.Volume(v.Logical); ok && g.Name == v.Group {
			return l.Size
		}
	}
	return 0
}

// maxMeasured bounds how many file systems are measured.
const maxMeasured = 64

// measure finds out, where that is asked for, how small each file system of the first disk can
// become.
func (s *session) measure(ctx context.Context, found *report.Inspection, volumes []filesystem.Volume) {
	if s.plan.Mode != spec.ModeInspect {
		return
	}
	left := maxMeasured
	least := func(v filesystem.Volume, ok bool) (n int64) {
		if left--; ok && left >= 0 {
			var err error
			if n, err = s.least(ctx, v); err != nil {
				found.Warnings = append(found.Warnings, fmt.Sprintf("measuring the file system of %v: %v", v, err))
			}
		}
		return n
	}
	for i := range found.Partitions {
		found.Partitions[i].Least = least(find(volumes, found.Partitions[i].Number))
	}
	for i := range found.Volumes {
		found.Volumes[i].Least = least(findLogical(volumes, found.Volumes[i].Group, found.Volumes[i].Name))
	}
}

// findLogical returns the volume of LVM of these names on the first disk.
func findLogical(volumes []filesystem.Volume, group, name string) (filesystem.Volume, bool) {
	for _, v := range volumes {
		if v.Disk == 0 && v.Logical == name && v.Group == group && v.Subvolume == "" {
			return v, true
		}
	}
	return filesystem.Volume{}, false
}

// least returns how many bytes the file system of v needs at least, 0 where that is not known.
func (s *session) least(ctx context.Context, v filesystem.Volume) (n int64, err error) {
	k := v.Kind()
	switch {
	case v.Path == "" || k.Extent == nil:
		return 0, nil
	case k.Least != nil:
		return k.Least(ctx, v.Path)
	case k.LeastMounted == nil:
		return k.Extent(v.Path)
	}
	release, err := s.mountOne(v, target)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return k.LeastMounted(ctx, target)
}
