package agent

import (
	"context"
	"fmt"
	"slices"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/modules"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// inspect finds out what is on the disks, tells the host and prepares the run.
// It changes nothing.
func (s *session) inspect(ctx context.Context) error {
	volumes := s.volumes()
	if err := filesystem.Probe(ctx, volumes); err != nil {
		return err
	}
	if err := s.disks[0].lvm; err != nil {
		s.log.Warn("the LVM volumes are not mapped", "error", err)
	}
	found := s.describe(volumes)
	err := s.whole(found)
	if err == nil {
		err = s.detect(found, volumes)
	}
	if err == nil {
		err = s.suits(found)
	}
	if problem := s.boots(found, volumes); err == nil {
		err = problem
	}
	if err != nil && s.plan.Mode == spec.ModeInspect {
		found.Warnings = append(found.Warnings, err.Error())
		err = nil
	}
	if err != nil {
		return err
	}
	if s.root.Subvolume != "" {
		volumes = append(volumes, s.root)
	}
	s.task = &task.Run{
		Plan: s.plan, Inspection: found, Volumes: volumes, Groups: s.disks[0].groups, Target: target, Log: s.log,
		Unread: s.unread(),
		Remap:  func(i int) error { return s.remap(ctx, i) },
		Load:   func(kind string) error { return modules.Load(s.modules.Demand[kind]) },
		Emit:   s.host.event,
	}
	for _, d := range s.disks {
		s.task.Disks = append(s.task.Disks, d.Disk)
	}
	if s.task.GrowVolume, err = s.growVolume(volumes); err != nil {
		return err
	}
	s.measure(ctx, found, volumes)
	return s.host.inspected(found)
}

// biosBoot is the GPT type of the partition a boot loader keeps its code in: no
// file system, and blkid has to be asked again after each such.
const biosBoot = "21686148-6449-6E6F-744E-656564454649"

// volumes lists every partition of every disk, and the disks without any.
func (s *session) volumes() []filesystem.Volume {
	var volumes []filesystem.Volume
	for i, d := range s.disks {
		if d.table == nil || len(d.table.Partitions) == 0 { // FAT has a boot record too
			volumes = append(volumes, filesystem.Volume{Name: d.name, Path: d.Path, Disk: i})
			volumes = append(volumes, d.logical(i)...)
			continue
		}
		for _, p := range d.table.Partitions {
			if p.Extended || p.Type == biosBoot {
				continue
			}
			volumes = append(volumes, filesystem.Volume{
				Name: d.Volume(p.Number), Parent: d.name, Path: d.Partition(p.Number), Disk: i, Number: p.Number,
				PartUUID: p.UUID, PartLabel: p.Name,
			})
		}
		volumes = append(volumes, d.logical(i)...)
	}
	return volumes
}

// find returns the volume of a partition of the first disk.
func find(volumes []filesystem.Volume, number int) (filesystem.Volume, bool) {
	for _, v := range volumes {
		if v.Disk == 0 && v.Number == number {
			return v, true
		}
	}
	return filesystem.Volume{}, false
}

// whole refuses an image that ends before its last partition does: its end was
// cut off, and the disk is zero there.
func (s *session) whole(found *report.Inspection) error {
	for _, p := range found.Partitions {
		if end := p.Start + p.Size; s.ready.ImageBytes > 0 && end > s.ready.ImageBytes {
			return &task.Remedied{Err: fmt.Errorf("the image is truncated: partition %d ends at byte %d, the image at %d",
				p.Number, end, s.ready.ImageBytes), Remedy: "fetch or make the image again"}
		}
	}
	return nil
}

// precheck refuses, before the first task touches the disk of an installed machine, what
// the tasks are asked for and cannot do.
func (s *session) precheck(ctx context.Context) error {
	i := slices.IndexFunc(s.task.Volumes, func(v filesystem.Volume) bool { return v.Name == s.task.Inspection.Root })
	if s.plan.Mode != spec.ModeCustomize || i < 0 {
		return nil
	}
	v := s.task.Volumes[i]
	return s.within(v, s.task.Volumes, true, func(root *rootfs.Root, problem error) error {
		if _, excluded := s.plan.Exclude[spec.MountImage]; problem != nil && !excluded && slices.Contains(s.plan.Tasks, spec.MountImage) {
			return problem // as MountImage will, after the first changes
		}
		s.task.Root = root
		defer func() { s.task.Root = nil }()
		return task.Check(ctx, s.task)
	})
}
