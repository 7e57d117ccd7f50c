package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// dosLimit is the first sector no MBR entry may reach: starts and sizes have 32
// bits.
const dosLimit = 1<<32 - 1

// setSpan writes start (relative) and size of an entry, and the cylinder, head,
// sector form of its ends at absolute sectors from first to end.
func (e entry) setSpan(start, first, end uint64) {
	binary.LittleEndian.PutUint32(e[8:], uint32(start))
	binary.LittleEndian.PutUint32(e[12:], uint32(end-first))
	copy(e[1:4], chs(first))
	copy(e[5:8], chs(end-1))
}

// setEnd changes only where the entry ends.
func (e entry) setEnd(first, end uint64) {
	binary.LittleEndian.PutUint32(e[12:], uint32(end-first))
	copy(e[5:8], chs(end-1))
}

// chs returns the cylinder, head and sector of lba for 255 heads and 63
// sectors, and the customary FE FF FF for what lies behind cylinder 1023.
func chs(lba uint64) []byte {
	cylinder := lba / (255 * 63)
	if cylinder > 1023 {
		return []byte{0xfe, 0xff, 0xff}
	}
	head, sector := lba/63%255, lba%63+1
	return []byte{byte(head), byte(sector | cylinder>>8<<6), byte(cylinder)}
}

func (d *dos) touch(at uint64) { d.records[at].dirty = true }

func (d *dos) end() int64 { return int64(d.sectors) * SectorSize }

func (d *dos) stretch() (uint64, error) { return min(d.sectors, dosLimit), nil }

func (d *dos) free(number int) (lead uint64, err error) {
	ext, _ := d.extended()
	switch {
	case number < 1:
		return 0, errors.New("partition numbers start at 1")
	case number <= 4:
		return 0, nil
	case number != 5+len(d.logical):
		return 0, fmt.Errorf("the next logical partition is number %d", 5+len(d.logical))
	case ext >= 0 && !d.endsDisk(ext):
		return 0, errors.New("the extended partition is not the last one of the disk")
	case ext < 0 && d.unused() < 0:
		return 0, errors.New("all four primary partitions are in use, there is no place for an extended one")
	}
	return sectorsPerMiB, nil
}

// endsDisk reports whether no primary partition lies behind primary[ext].
func (d *dos) endsDisk(ext int) bool {
	return !slices.ContainsFunc(d.primary[:], func(s slot) bool {
		return s.entry.used() && s.start() > d.primary[ext].start()
	})
}

// unused returns the index of the first free primary entry, or -1.
func (d *dos) unused() int {
	return slices.IndexFunc(d.primary[:], func(s slot) bool { return !s.entry.used() })
}

func (d *dos) resize(number int, end uint64) {
	if number <= 4 {
		s := d.primary[number-1]
		s.entry.setEnd(s.start(), end)
		d.touch(0)
		return
	}
	s := d.logical[number-5]
	s.entry.setEnd(s.start(), end)
	d.touch(s.record)
	d.resizeLink(s.record, end)
	d.resizeExtended(end)
}

// resizeLink updates the entry that points to the boot record at: it covers the
// record and its partition. The first record has none.
func (d *dos) resizeLink(at, end uint64) {
	i := slices.Index(d.chain, at)
	if i < 1 {
		return
	}
	before := d.chain[i-1]
	entryOf(d.records[before].data, 1).setEnd(at, end)
	d.touch(before)
}

func (d *dos) resizeExtended(end uint64) {
	ext, _ := d.extended()
	if s := d.primary[ext]; end > s.end() {
		s.entry.setEnd(s.start(), end)
		d.touch(0)
	}
}

func (d *dos) add(number int, start, end uint64, _ string) error {
	if number <= 4 {
		d.fill(d.primary[number-1].entry, typeSwap, 0, start, end)
		d.touch(0)
		return nil
	}
	at := start - sectorsPerMiB
	if ext, _ := d.extended(); ext < 0 {
		d.fill(d.primary[d.unused()].entry, typeExtendedLB, 0, at, end)
		d.touch(0)
		d.addRecord(at)
	} else {
		at = d.lastRecord(at, end)
	}
	d.resizeExtended(end)
	d.fill(entryOf(d.records[at].data, 0), typeSwap, at, start, end)
	d.touch(at)
	d.logical = append(d.logical, slot{entry: entryOf(d.records[at].data, 0), record: at, base: at})
	return nil
}

// lastRecord returns the boot record for one more logical partition: the last
// one if it holds nothing (there is always a first), else a new one at sector
// at, linked to the last.
func (d *dos) lastRecord(at, end uint64) uint64 {
	last := d.chain[len(d.chain)-1]
	if !entryOf(d.records[last].data, 0).used() {
		return last
	}
	d.fill(entryOf(d.records[last].data, 1), typeExtended, d.chain[0], at, end)
	d.touch(last)
	d.addRecord(at)
	return at
}

func (d *dos) addRecord(at uint64) {
	sector := make([]byte, SectorSize)
	sector[mbrSignature], sector[mbrSignature+1] = 0x55, 0xaa
	d.records[at] = &record{data: sector, dirty: true}
	d.chain = append(d.chain, at)
}

// fill makes an inactive entry for the sectors from start to end.
func (d *dos) fill(e entry, kind byte, base, start, end uint64) {
	clear(e)
	e[4] = kind
	e.setSpan(start-base, start, end)
}

// write writes changed records from the end of the disk to its start: a record
// is there before anything points to it.
func (d *dos) write(disk Disk) error {
	for _, at := range slices.Backward(slices.Sorted(maps.Keys(d.records))) {
		r := d.records[at]
		if !r.dirty {
			continue
		}
		if _, err := disk.WriteAt(r.data, int64(at)*SectorSize); err != nil {
			return fmt.Errorf("boot record at sector %d: %w", at, err)
		}
		if err := disk.Sync(); err != nil {
			return err
		}
		r.dirty = false
	}
	return nil
}
