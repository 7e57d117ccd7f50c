// Package partition reads and edits MBR and GPT partition tables.
//
// An edit changes only what it has to: the fields of the entries that grow or
// come, checksums, and for GPT the place of the backup. Boot code, disk
// identifiers, names, attributes and all other entries stay byte for byte as
// they were. Nothing is written before Write, and Write orders its writes so
// that an interruption leaves a readable table.
//
// The code is our own, not sfdisk's, because that promise is easier to keep
// (and to fuzz) on bytes than through a tool that writes the table anew.
package partition

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// SectorSize is the only size of logical sectors this version knows.
const SectorSize = 512

// sectorsPerMiB is the grain new ends and partitions are aligned to.
const sectorsPerMiB = 1 << 20 / SectorSize

// maxPartitions bounds the number of partitions of a table.
const maxPartitions = 128

// Kind names a partition scheme as sfdisk does.
type Kind string

// The kinds of table.
const (
	DOS Kind = "dos"
	GPT Kind = "gpt"
)

// Errors a caller decides on.
var (
	ErrNoTable = errors.New("no MBR or GPT partition table")
	ErrDamaged = errors.New("damaged partition table")
)

// Disk is what a table is written to.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// Table is the partition table of a disk.
type Table struct {
	Kind Kind
	// ID is the disk identifier: 0x and eight hexadecimal digits or a GUID.
	ID string
	// Partitions are in the order of their numbers.
	Partitions []Partition

	sectors uint64
	scheme  scheme
}

// Partition is one partition.
type Partition struct {
	Number int
	Start  int64  // bytes from the start of the disk
	Size   int64  // bytes
	Type   string // two hexadecimal digits or a GUID in upper case
	Name   string // GPT only
	UUID   string // PARTUUID, in upper case for GPT
	// Extended marks the container of the logical partitions of an MBR.
	Extended bool
}

// End returns the first byte behind p.
func (p Partition) End() int64 { return p.Start + p.Size }

// BSD names the system of the BSD family that the type of p is for, or is empty.
func (p Partition) BSD() string {
	switch p.Type {
	case "a5", "516E7CB6-6ECF-11D6-8FF8-00022D09712B":
		return "FreeBSD"
	case "a6":
		return "OpenBSD"
	case "a9":
		return "NetBSD"
	}
	return ""
}

// scheme is what differs between MBR and GPT. Positions are in sectors, ends
// are exclusive.
type scheme interface {
	id() string
	partitions() []Partition
	// stretch fits the table to the disk and returns the end of the space that
	// partitions may use.
	stretch() (uint64, error)
	// free reports whether a partition of that number can be added, and how many
	// sectors in front of it the table itself needs.
	free(number int) (lead uint64, err error)
	resize(number int, end uint64)
	// movable reports whether the partition can be moved, lead how many sectors in front
	// of it the table then needs, and move moves it to sectors that belong to nobody else.
	movable(number int) bool
	lead(number int) uint64
	move(number int, start, end uint64)
	// barrier is the first sector behind a partition that the table needs for itself.
	barrier(number int) uint64
	// end is where, in bytes, the table's own place at the end of the disk begins.
	end() int64
	add(number int, start, end uint64, uuid string) error
	write(d Disk) error
}

// Read reads the partition table of a disk of size bytes. The error is
// ErrNoTable when there is none and ErrDamaged when it contradicts itself.
func Read(r io.ReaderAt, size int64) (*Table, error) {
	sectors := uint64(max(size, 0)) / SectorSize
	mbr, err := readSector(r, 0, sectors)
	if err != nil {
		return nil, err
	}
	if !isMBR(mbr) {
		return nil, ErrNoTable
	}
	t := &Table{Kind: DOS, sectors: sectors}
	if protects(mbr) {
		t.Kind = GPT
		t.scheme, err = readGPT(r, mbr, sectors)
	} else if madeForLarge(r, mbr, size) {
		err = ErrSectors
	} else {
		t.scheme, err = readDOS(r, mbr, sectors)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the %s partition table: %w", t.Kind, err)
	}
	t.load()
	return t, t.check()
}

// Write writes what Grow changed to d; a table without changes is not written.
func (t *Table) Write(d Disk) error {
	if err := t.scheme.write(d); err != nil {
		return fmt.Errorf("writing the %s partition table: %w", t.Kind, err)
	}
	return nil
}

// LargestDisk returns how many bytes of a disk the table can make use of, 0 where that is
// more than any disk has.
func (t *Table) LargestDisk() int64 {
	if t.Kind == DOS {
		return dosLimit * SectorSize
	}
	return 0
}

// SmallestDisk returns the size in bytes of the smallest disk that holds all
// partitions, with a MiB to spare and the backup of a GPT; never more than the
// disk they are on.
func (t *Table) SmallestDisk() int64 {
	end := int64(0)
	for _, p := range t.Partitions {
		end = max(end, p.End())
	}
	end += 1 << 20
	if t.Kind == GPT {
		const backup = 33 * SectorSize
		end = (end + backup + 1<<20 - 1) >> 20 << 20
	}
	return min(end, int64(t.sectors)*SectorSize)
}

// Partition returns the partition of that number.
func (t *Table) Partition(number int) (Partition, bool) {
	for _, p := range t.Partitions {
		if p.Number == number {
			return p, true
		}
	}
	return Partition{}, false
}

func (t *Table) load() {
	t.ID, t.Partitions = t.scheme.id(), t.scheme.partitions()
	slices.SortFunc(t.Partitions, func(a, b Partition) int { return a.Number - b.Number })
}

// check refuses partitions that lie outside the disk.
func (t *Table) check() error {
	for _, p := range t.Partitions {
		if p.End() > int64(t.sectors)*SectorSize {
			return fmt.Errorf("partition %d ends at byte %d of a disk of %d bytes: %w",
				p.Number, p.End(), int64(t.sectors)*SectorSize, ErrDamaged)
		}
	}
	return nil
}

// readSector reads sector lba of a disk that has that many sectors.
func readSector(r io.ReaderAt, lba, sectors uint64) ([]byte, error) {
	if lba >= sectors {
		return nil, fmt.Errorf("sector %d lies outside a disk of %d sectors: %w", lba, sectors, ErrDamaged)
	}
	b := make([]byte, SectorSize)
	if _, err := r.ReadAt(b, int64(lba)*SectorSize); err != nil {
		return nil, fmt.Errorf("reading sector %d: %w", lba, err)
	}
	return b, nil
}

func alignDown(sector uint64) uint64 { return sector / sectorsPerMiB * sectorsPerMiB }
