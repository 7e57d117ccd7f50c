package partition

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// linuxSwap is the GPT type of swap partitions.
const linuxSwap = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"

// stretch moves the backup to the end of a disk that became larger.
func (g *gpt) stretch() (uint64, error) {
	if g.backup != g.sectors-1 {
		last := g.backupEntries() - 1
		for _, p := range g.partitions() {
			if lba(p.End()) > last+1 {
				return 0, fmt.Errorf("partition %d leaves no room for the backup GPT at the end of the disk", p.Number)
			}
		}
		binary.LittleEndian.PutUint64(g.header[gptAlternate:], g.sectors-1)
		binary.LittleEndian.PutUint64(g.header[gptLastUsable:], last)
		g.dirty = true
	}
	return min(le64(g.header[gptLastUsable:])+1, g.backupEntries(), g.foreign()), nil
}

// backupEntries returns where the entries of the backup lie: right in front of
// its header in the last sector.
func (g *gpt) backupEntries() uint64 {
	return g.sectors - 1 - min(g.entrySectors(), g.sectors-2)
}

func (g *gpt) end() int64 { return int64(min(g.backupEntries(), g.foreign())) * SectorSize }

func (g *gpt) free(number int) (lead uint64, err error) {
	if number < 1 || number > min(g.count(), maxPartitions) {
		return 0, fmt.Errorf("the GPT has room for numbers 1 to %d", min(g.count(), maxPartitions))
	}
	return 0, nil
}

func (g *gpt) resize(number int, end uint64) {
	e := g.entry(number)
	g.moveTwins(le64(e[entryFirst:]), le64(e[entryLast:])+1, end)
	binary.LittleEndian.PutUint64(e[entryLast:], end-1)
	g.dirty = true
}

func (g *gpt) movable(int) bool   { return len(g.twins()) == 0 }
func (g *gpt) lead(int) uint64    { return 0 }
func (g *gpt) barrier(int) uint64 { return g.sectors }

func (g *gpt) move(number int, start, end uint64) {
	e := g.entry(number)
	binary.LittleEndian.PutUint64(e[entryFirst:], start)
	binary.LittleEndian.PutUint64(e[entryLast:], end-1)
	g.dirty = true
}

func (g *gpt) add(number int, start, end uint64, uuid string) error {
	if usable := le64(g.header[gptLastUsable:]); end-1 > usable || start < le64(g.header[gptFirstUsable:]) {
		return fmt.Errorf("sectors %d to %d: %w", start, end-1, ErrNoRoom)
	}
	kind, err := parseGUID(linuxSwap)
	if err != nil {
		return err
	}
	id, err := parseGUID(uuid)
	if err != nil {
		return err
	}
	e := g.entry(number)
	clear(e)
	copy(e[entryType:], kind)
	copy(e[entryUUID:], id)
	binary.LittleEndian.PutUint64(e[entryFirst:], start)
	binary.LittleEndian.PutUint64(e[entryLast:], end-1)
	g.dirty = true
	return nil
}

// write puts the backup in its place first, then the primary entries, then the
// header that makes them valid. Whatever is interrupted, one of the two tables
// is whole.
func (g *gpt) write(d Disk) error {
	if !g.dirty {
		return g.repairBackup(d)
	}
	g.seal()
	if g.overBackup() {
		return fmt.Errorf("a partition lies where the backup of the GPT belongs: %w", ErrDamaged)
	}
	if err := g.writeBackup(d); err != nil {
		return err
	}
	if err := writeSynced(d, le64(g.header[gptEntriesLBA:]), g.entries); err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	if err := writeSynced(d, 0, g.mbr, g.header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	g.dirty = false
	return g.wipeOldBackup(d)
}

func (g *gpt) writeBackup(d Disk) error {
	if err := writeSynced(d, g.backupEntries(), g.entries, g.backupHeader()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// repairBackup writes the backup of a table that stays as it is anew, unless it is
// whole or there is no room for it.
func (g *gpt) repairBackup(d Disk) error {
	if g.backupWhole(d) || le64(g.header[gptLastUsable:]) >= g.backupEntries() || g.overBackup() {
		return nil
	}
	return g.writeBackup(d)
}

// overBackup reports whether a partition lies where the backup belongs.
func (g *gpt) overBackup() bool {
	return slices.ContainsFunc(g.partitions(), func(p Partition) bool { return lba(p.End()) > g.backupEntries() })
}

// backupWhole reports whether the backup says the same as the table, wherever its
// entries are.
func (g *gpt) backupWhole(d Disk) bool {
	h, err := readSector(d, g.sectors-1, g.sectors)
	size := le32(g.header[gptHeaderSize:])
	if err != nil || le32(h[gptHeaderSize:]) != size || headerCRC(h) != le32(h[gptHeaderCRC:]) {
		return false
	}
	at := le64(h[gptEntriesLBA:])
	binary.LittleEndian.PutUint64(h[gptEntriesLBA:], g.backupEntries())
	binary.LittleEndian.PutUint32(h[gptHeaderCRC:], headerCRC(h))
	if !bytes.Equal(h[:size], g.backupHeader()[:size]) {
		return false
	}
	if at >= g.sectors || g.entrySectors() > g.sectors-at {
		return false
	}
	entries := make([]byte, len(g.entries))
	_, err = d.ReadAt(entries, int64(at)*SectorSize)
	return err == nil && bytes.Equal(entries, g.entries)
}

// seal updates the checksums and the size in the protective MBR. That of a hybrid
// MBR ends in front of its other entries, which shield looks after.
func (g *gpt) seal() {
	binary.LittleEndian.PutUint32(g.header[gptEntriesCRC:], g.entriesCRC())
	binary.LittleEndian.PutUint32(g.header[gptHeaderCRC:], headerCRC(g.header))
	g.shield()
	var protective entry
	for i := range 4 {
		e := entryOf(g.mbr, i)
		switch {
		case e.kind() == typeProtective && protective == nil:
			protective = e
		case e.used():
			return
		}
	}
	const whole = 1<<32 - 1 // "the whole disk" of tools that do not count
	if protective.start() == 1 && protective.size() != whole {
		binary.LittleEndian.PutUint32(protective[12:], uint32(min(g.sectors-1, whole)))
	}
}

func (g *gpt) backupHeader() []byte {
	h := bytes.Clone(g.header)
	binary.LittleEndian.PutUint64(h[gptMyLBA:], g.sectors-1)
	binary.LittleEndian.PutUint64(h[gptAlternate:], 1)
	binary.LittleEndian.PutUint64(h[gptEntriesLBA:], g.backupEntries())
	binary.LittleEndian.PutUint32(h[gptHeaderCRC:], headerCRC(h))
	return h
}

// wipeOldBackup clears the header of a backup that was left behind, so that no
// tool takes it for the table of the disk.
func (g *gpt) wipeOldBackup(d Disk) error {
	if g.backup == g.sectors-1 || g.backup < 2 {
		return nil
	}
	old, err := readSector(d, g.backup, g.sectors)
	if err != nil || !bytes.HasPrefix(old, []byte(gptMagic)) || le64(old[gptMyLBA:]) != g.backup {
		return nil // nothing of ours is there
	}
	return writeSynced(d, g.backup, make([]byte, SectorSize))
}

// writeSynced writes the pieces one behind the other and flushes them.
func writeSynced(d Disk, sector uint64, pieces ...[]byte) error {
	if _, err := d.WriteAt(bytes.Join(pieces, nil), int64(sector)*SectorSize); err != nil {
		return err
	}
	return d.Sync()
}

// parseGUID is the inverse of guid; it takes lower case too.
func parseGUID(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 || len(s) != 36 {
		return nil, fmt.Errorf("%q is not a GUID", s)
	}
	for _, field := range [][]byte{b[0:4], b[4:6], b[6:8]} {
		for i, j := 0, len(field)-1; i < j; i, j = i+1, j-1 {
			field[i], field[j] = field[j], field[i]
		}
	}
	return b, nil
}
