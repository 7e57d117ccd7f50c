package partition

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The layout of a master boot record, and of the extended boot records that
// chain logical partitions (UEFI specification 2.10, section 5.2.1; the chain
// is described nowhere officially and read as Linux does).
const (
	mbrSerial    = 440
	mbrEntries   = 446
	mbrEntrySize = 16
	mbrSignature = 510
)

// Partition types that matter here.
const (
	typeEmpty      = 0x00
	typeExtended   = 0x05
	typeExtendedLB = 0x0f
	typeExtendedLX = 0x85
	typeSwap       = 0x82
	typeProtective = 0xee
)

// entry is one of the four entries of a boot record, in place.
type entry []byte

func entryOf(sector []byte, i int) entry {
	at := mbrEntries + i*mbrEntrySize
	return entry(sector[at : at+mbrEntrySize])
}

func (e entry) status() byte  { return e[0] }
func (e entry) kind() byte    { return e[4] }
func (e entry) start() uint64 { return uint64(binary.LittleEndian.Uint32(e[8:])) }
func (e entry) size() uint64  { return uint64(binary.LittleEndian.Uint32(e[12:])) }
func (e entry) used() bool    { return e.kind() != typeEmpty && e.size() != 0 }

func (e entry) extended() bool {
	k := e.kind()
	return e.used() && (k == typeExtended || k == typeExtendedLB || k == typeExtendedLX)
}

// isMBR tells a boot record with a table from a boot sector of a file system,
// which carries the same signature: its code lies where the status bytes are.
func isMBR(sector []byte) bool {
	if sector[mbrSignature] != 0x55 || sector[mbrSignature+1] != 0xaa {
		return false
	}
	for i := range 4 {
		if s := entryOf(sector, i).status(); s != 0 && s != 0x80 {
			return false
		}
	}
	return true
}

// protects reports whether the boot record announces a GPT. A hybrid one does too;
// its other entries are mirrors of the GPT's.
func protects(sector []byte) bool {
	for i := range 4 {
		if entryOf(sector, i).kind() == typeProtective {
			return true
		}
	}
	return false
}

// dos is an MBR with its chain of extended boot records.
type dos struct {
	sectors uint64
	records map[uint64]*record // by sector; 0 is the MBR
	chain   []uint64           // sectors of the extended boot records, in order
	primary [4]slot
	logical []slot // number 5 and up
}

// record is a boot record as read and as edited.
type record struct {
	data  []byte
	dirty bool
}

// slot says where the entry of a partition is and what its start counts from.
type slot struct {
	entry  entry
	record uint64
	base   uint64
}

func (s slot) start() uint64 { return s.base + s.entry.start() }
func (s slot) end() uint64   { return s.start() + s.entry.size() }

func readDOS(r io.ReaderAt, mbr []byte, sectors uint64) (*dos, error) {
	d := &dos{sectors: sectors, records: map[uint64]*record{0: {data: mbr}}}
	for i := range d.primary {
		d.primary[i] = slot{entry: entryOf(mbr, i)}
	}
	ext, err := d.extended()
	if err != nil || ext < 0 {
		return d, err
	}
	return d, d.readChain(r, d.primary[ext])
}

// extended returns the index of the extended partition, or -1.
func (d *dos) extended() (int, error) {
	found := -1
	for i, s := range d.primary {
		if !s.entry.extended() {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("partitions %d and %d are both extended: %w", found+1, i+1, ErrDamaged)
		}
		found = i
	}
	return found, nil
}

// readChain follows the extended boot records inside ext. They need not come in
// rising order: a partition made in a gap is linked behind the others. An
// extended partition without a first record holds nothing yet, as for Linux.
func (d *dos) readChain(r io.ReaderAt, ext slot) error {
	for at := ext.start(); ; {
		sector, err := readSector(r, at, min(d.sectors, ext.end()))
		if err != nil {
			return fmt.Errorf("extended boot record: %w", err)
		}
		if !isMBR(sector) && at == ext.start() {
			d.addRecord(at)
			d.records[at].dirty = false
			return nil
		}
		if !isMBR(sector) {
			return fmt.Errorf("extended boot record at sector %d has no signature: %w", at, ErrDamaged)
		}
		d.records[at] = &record{data: sector}
		d.chain = append(d.chain, at)
		next, err := d.readRecord(sector, at, ext)
		if err != nil || next == 0 {
			return err
		}
		if d.records[next] != nil || len(d.chain) >= maxPartitions-4 {
			return fmt.Errorf("extended boot record at sector %d leads to sector %d: %w", at, next, ErrDamaged)
		}
		at = next
	}
}

// readRecord takes the logical partition out of an extended boot record and
// returns where the next record is, 0 at the end of the chain.
func (d *dos) readRecord(sector []byte, at uint64, ext slot) (next uint64, err error) {
	data := entryOf(sector, 0)
	link := entryOf(sector, 1)
	if data.extended() || link.used() && !link.extended() ||
		entryOf(sector, 2).used() || entryOf(sector, 3).used() {
		return 0, fmt.Errorf("extended boot record at sector %d is of an unusual form: %w", at, ErrDamaged)
	}
	if data.used() {
		s := slot{entry: data, record: at, base: at}
		if s.start() <= at || s.end() > ext.end() {
			return 0, fmt.Errorf("logical partition of sector %d lies outside the extended partition: %w", at, ErrDamaged)
		}
		d.logical = append(d.logical, s)
	}
	if link.used() {
		next = ext.start() + link.start()
	}
	return next, nil
}

func (d *dos) id() string { return fmt.Sprintf("0x%08x", d.serial()) }

func (d *dos) serial() uint32 {
	return binary.LittleEndian.Uint32(d.records[0].data[mbrSerial:])
}

func (d *dos) partitions() []Partition {
	var parts []Partition
	for i, s := range append(d.primary[:4:4], d.logical...) {
		if !s.entry.used() {
			continue
		}
		parts = append(parts, Partition{
			Number:   i + 1,
			Start:    int64(s.start()) * SectorSize,
			Size:     int64(s.entry.size()) * SectorSize,
			Type:     fmt.Sprintf("%02x", s.entry.kind()),
			UUID:     fmt.Sprintf("%08x-%02x", d.serial(), i+1),
			Extended: s.entry.extended(),
		})
	}
	return parts
}
