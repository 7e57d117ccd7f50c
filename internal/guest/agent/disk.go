package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"snf-image/internal/guest/devmapper"
	"snf-image/internal/guest/lvm"
	"snf-image/internal/guest/partition"
	"snf-image/internal/guest/task"
	"snf-image/internal/spec"
)

// disk is a disk of the instance: the devices it consists of, the mapping that
// joins them, and the mappings of its partitions.
type disk struct {
	task.Disk
	name    string   // of the mapping; NAMEn is partition n
	devices []string // what lies below, the body first
	bytes   int64
	mapped  []string // mappings of partitions and, behind them, of LVM volumes
	table   *partition.Table
	groups  []lvm.Group
	lvm     error // why the LVM volumes are not known
}

// attach puts all disks of the plan together.
func (s *session) attach(ctx context.Context) error {
	for i, p := range s.plan.Disks {
		d, err := s.join(i, p)
		if err != nil {
			return fmt.Errorf("disk %d: %w", i, err)
		}
		s.disks = append(s.disks, d)
		if err := d.mapPartitions(); err != nil && i > 0 {
			s.log.Warn("partitions are not mapped", "disk", i, "error", err)
		} else if err != nil && !errors.Is(err, partition.ErrNoTable) && s.plan.Mode != spec.ModeShell {
			return task.TableAdvice(err)
		}
	}
	if len(s.disks) > 0 {
		s.disks[0].lvm = s.disks[0].mapVolumes(ctx)
	}
	if len(s.disks) == 0 {
		return errors.New("the plan has no disk")
	}
	return nil
}

// join maps disk i as /dev/disk-a, -b and so on.
func (s *session) join(i int, p spec.PlanDisk) (*disk, error) {
	d := &disk{name: "disk-" + string(rune('a'+i))}
	d.ReadOnly = p.ReadOnly || s.plan.Mode == spec.ModeInspect
	if i >= 26 {
		return nil, errors.New("more than 26 disks are not in this version")
	}
	pieces, err := s.pieces(d, p)
	if err != nil {
		return nil, err
	}
	d.Path, err = devmapper.Create(d.name, pieces, d.ReadOnly)
	return d, err
}

// pieces returns what the disk consists of: the body, with its first and last
// EndSize bytes replaced when they lie apart.
func (s *session) pieces(d *disk, p spec.PlanDisk) ([]devmapper.Piece, error) {
	body, err := s.open(d, p.Serial)
	if err != nil {
		return nil, err
	}
	d.bytes = int64(body.Length) * partition.SectorSize
	if p.Head == "" && p.Tail == "" {
		return []devmapper.Piece{body}, nil
	}
	head, err := s.open(d, p.Head)
	if err != nil {
		return nil, err
	}
	tail, err := s.open(d, p.Tail)
	if err != nil {
		return nil, err
	}
	const end = spec.EndSize / partition.SectorSize
	if head.Length != end || tail.Length != end || body.Length <= 2*end {
		return nil, fmt.Errorf("head of %d, body of %d and tail of %d sectors make no disk",
			head.Length, body.Length, tail.Length)
	}
	body.Offset, body.Length = end, body.Length-2*end
	return []devmapper.Piece{head, body, tail}, nil
}

// open waits for the device of that serial and returns it whole.
func (s *session) open(d *disk, serial string) (devmapper.Linear, error) {
	device, err := await(s.events, "the disk "+serial, func() (string, bool) { return findDisk(serial) })
	if err != nil {
		return devmapper.Linear{}, err
	}
	d.devices = append(d.devices, device)
	b, err := os.ReadFile("/sys/block/" + strings.TrimPrefix(device, "/dev/") + "/size")
	if err != nil {
		return devmapper.Linear{}, err
	}
	sectors, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return devmapper.Linear{Device: device, Length: sectors}, err
}

// remap maps the partitions and LVM volumes of disk i anew.
func (s *session) remap(ctx context.Context, i int) error {
	tableless := s.disks[i].table == nil
	err := s.disks[i].mapPartitions()
	if tableless && errors.Is(err, partition.ErrNoTable) {
		err = nil
	}
	if err == nil && i == 0 {
		if err := s.disks[i].mapVolumes(ctx); err != nil && s.disks[i].lvm == nil {
			return err // else it was so before
		}
		s.task.Groups = s.disks[i].groups
	}
	return err
}

// mapPartitions reads the table and maps every partition. An extended partition
// gets no mapping: it overlaps those inside.
func (d *disk) mapPartitions() error {
	if err := d.unmapPartitions(); err != nil {
		return err
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.table, err = partition.Read(f, d.bytes); err != nil {
		d.table = nil
		return err
	}
	if len(d.table.Partitions) == 0 && d.table.Kind == partition.DOS { // a boot loader in front of a file system
		d.table = nil
		return partition.ErrNoTable
	}
	for _, p := range d.table.Partitions {
		if p.Extended {
			continue
		}
		name := d.name + strconv.Itoa(p.Number)
		piece := devmapper.Linear{Device: d.Path, Offset: uint64(p.Start) / partition.SectorSize, Length: uint64(p.Size) / partition.SectorSize}
		if _, err := devmapper.Create(name, []devmapper.Piece{piece}, d.ReadOnly); err != nil {
			return err
		}
		d.mapped = append(d.mapped, name)
	}
	return nil
}

func (d *disk) unmapPartitions() error {
	for len(d.mapped) > 0 {
		last := len(d.mapped) - 1
		if err := devmapper.Remove(d.mapped[last]); err != nil {
			return err
		}
		d.mapped = d.mapped[:last]
	}
	return nil
}

// detach takes the disk apart and flushes what lies below.
func (d *disk) detach() error {
	err := d.unmapPartitions()
	if err == nil && d.Path != "" {
		err = devmapper.Remove(d.name)
	}
	for _, device := range d.devices {
		if !d.ReadOnly {
			err = errors.Join(err, flush(device))
		}
	}
	return err
}

// flush makes the host's disk file or device durable.
func flush(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flushing %s: %w", device, err)
	}
	return nil
}

// parts returns the partitions of d.
func (d *disk) parts() []partition.Partition {
	if d.table == nil {
		return nil
	}
	return d.table.Partitions
}
