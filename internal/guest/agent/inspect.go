package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/modules"
	"snf-image/internal/guest/partition"
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
	found := s.describe(volumes)
	err := s.whole(found)
	if err == nil {
		err = s.detect(found, volumes)
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
		Plan: s.plan, Inspection: found, Volumes: volumes, Target: target, Log: s.log,
		Remap: func(i int) error { return s.disks[i].mapPartitions() },
		Load:  func(kind string) error { return modules.Load(s.modules.Demand[kind]) },
		Emit:  s.host.event,
	}
	for _, d := range s.disks {
		s.task.Disks = append(s.task.Disks, d.Disk)
	}
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
	}
	return volumes
}

// describe reports the first disk's table and file systems.
func (s *session) describe(volumes []filesystem.Volume) *report.Inspection {
	d := s.disks[0]
	found := &report.Inspection{Table: "none", DiskBytes: d.bytes}
	if d.table == nil {
		return found
	}
	found.Table, found.TableID, found.SmallestDisk = string(d.table.Kind), d.table.ID, d.table.SmallestDisk()
	for _, p := range d.table.Partitions {
		entry := report.Partition{Number: p.Number, Start: p.Start, Size: p.Size, Type: p.Type, Name: p.Name, UUID: p.UUID}
		if v, ok := find(volumes, p.Number); ok {
			entry.Filesystem, entry.Label, entry.FSUUID = v.Type, v.Label, v.UUID
		}
		found.Partitions = append(found.Partitions, entry)
	}
	return found
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

// detect finds the operating system: on the partition the plan names, else on
// the first one that holds one.
func (s *session) detect(found *report.Inspection, volumes []filesystem.Volume) error {
	if whole, ok := find(volumes, 0); s.disks[0].table == nil && (!ok || whole.Type == "") {
		return task.TableAdvice(partition.ErrNoTable)
	}
	if n := s.plan.RootPartition; n != 0 {
		return s.detectOn(found, volumes, n)
	}
	var troubles []string
	var refused error
	for _, v := range volumes {
		if v.Disk != 0 || !v.Kind().Root {
			continue
		}
		root, system, err := s.lookIn(v, volumes)
		if err != nil {
			troubles, refused = append(troubles, err.Error()), cmp.Or(refused, err)
			continue
		}
		if system.Family != "" {
			found.Warnings = append(found.Warnings, troubles...)
			s.enter(found, root, system)
			return nil
		}
		troubles = append(troubles, system.Warnings...)
	}
	err := undetected(s.disks[0].parts(), volumes, troubles)
	if r, advised := errors.AsType[*task.Remedied](err); advised && refused != nil {
		return s.damaged(r.Err, refused)
	}
	return err
}

// detectOn looks at the root partition the plan names.
func (s *session) detectOn(found *report.Inspection, volumes []filesystem.Volume, number int) error {
	v, ok := find(volumes, number)
	if !ok {
		return &task.Remedied{Err: fmt.Errorf("the disk has no partition %d", number), Remedy: "correct the property ROOT_PARTITION"}
	}
	if name := v.Missing(); name != "" {
		return instead(fmt.Errorf("the root partition %d holds %s, which is not in this version", number, name), v.Kind().Instead)
	}
	root, system, err := s.lookIn(v, volumes)
	if err != nil {
		return s.damaged(err, err)
	}
	if system.Family == "" && s.plan.OSFamily == "" {
		return &task.Remedied{
			Err:    fmt.Errorf("no operating system is found on partition %d", number),
			Remedy: "set the property OSFAMILY, or correct ROOT_PARTITION",
		}
	}
	s.enter(found, root, system)
	return nil
}

// damaged returns the error of a file system that the system could be on and that cannot
// be read because of cause: properties do not help then.
func (s *session) damaged(err, cause error) error {
	if errors.Is(cause, filesystem.ErrExternal) {
		return &task.Remedied{Err: err, Remedy: task.OnOneDevice}
	}
	if filesystem.Unsupported(cause) {
		return &task.Remedied{Err: err, Remedy: task.WithoutFeatures}
	}
	if s.plan.Mode == spec.ModeCustomize {
		return &task.Remedied{Err: fmt.Errorf("the disk is damaged: %w", err), Remedy: task.RepairByHand}
	}
	return &task.Remedied{Err: fmt.Errorf("the image is damaged: %w", err), Remedy: "fetch or make the image again"}
}

// enter enters the system on root into the inspection; what the plan says wins.
func (s *session) enter(found *report.Inspection, root filesystem.Volume, system inspect.System) {
	s.root = root
	found.Root, found.RootPartition, found.OSFamily = root.Name, root.Number, system.Family
	if s.plan.OSFamily != "" {
		found.OSFamily = s.plan.OSFamily
	}
	found.Distribution, found.Version, found.Pretty = system.Distribution, system.Version, system.Pretty
	found.Hostname, found.Network, found.NetworkReason = system.Hostname, system.Network, system.NetworkReason
	found.Users, found.HostKeyTypes = system.Users, system.HostKeyTypes
	found.Warnings = append(found.Warnings, system.Warnings...)
}

// maxTroubles bounds what an error tells of: an image can have trouble on each of
// its partitions.
const maxTroubles = 3

// undetected explains why no operating system was found, by what was, and by
// what was the trouble with the others.
func undetected(partitions []partition.Partition, volumes []filesystem.Volume, troubles []string) error {
	text := "no operating system is found on the disk"
	if len(troubles) > 0 {
		text += " (" + strings.Join(troubles[:min(len(troubles), maxTroubles)], ", ") + ")"
	}
	var missing []string
	var remedy string
	for _, p := range partitions {
		if name := p.BSD(); name != "" {
			missing = append(missing, fmt.Sprintf("%s (partition %d)", name, p.Number))
		}
		if v, ok := find(volumes, p.Number); ok && v.Missing() != "" {
			missing = append(missing, fmt.Sprintf("%s (partition %d)", v.Missing(), p.Number))
			remedy = cmp.Or(remedy, v.Kind().Instead)
		}
	}
	if len(missing) > 0 {
		return instead(fmt.Errorf("%s; not in this version: %s", text, strings.Join(missing, ", ")), remedy)
	}
	if !slices.ContainsFunc(volumes, func(v filesystem.Volume) bool { return v.Disk == 0 && v.Type != "" }) {
		return &task.Remedied{
			Err:    errors.New(text + ": none of its partitions holds a file system that is known; the image is damaged, encrypted or empty"),
			Remedy: "fetch or make the image again",
		}
	}
	return &task.Remedied{
		Err:    errors.New(text),
		Remedy: "set the properties OSFAMILY and ROOT_PARTITION",
	}
}

// instead adds to err what to do instead, if there is anything.
func instead(err error, remedy string) error {
	if remedy == "" {
		return err
	}
	return &task.Remedied{Err: err, Remedy: remedy}
}

// precheck refuses, before the first task touches the disk of an installed machine, what
// the tasks are asked for and cannot do.
func (s *session) precheck() error {
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
		return task.Check(s.task)
	})
}
