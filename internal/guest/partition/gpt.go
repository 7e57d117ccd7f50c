package partition

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// Offsets in the GPT header (UEFI specification 2.10, section 5.3.2).
const (
	gptSignature   = 0
	gptRevision    = 8
	gptHeaderSize  = 12
	gptHeaderCRC   = 16
	gptMyLBA       = 24
	gptAlternate   = 32
	gptFirstUsable = 40
	gptLastUsable  = 48
	gptDiskGUID    = 56
	gptEntriesLBA  = 72
	gptEntryCount  = 80
	gptEntrySize   = 84
	gptEntriesCRC  = 88
	gptHeaderLeast = 92
)

// Offsets in a GPT partition entry (section 5.3.3).
const (
	entryType  = 0
	entryUUID  = 16
	entryFirst = 32
	entryLast  = 40
	entryName  = 56
	entryLeast = 128
)

// maxEntries bounds the bytes of the partition entry array.
const maxEntries = 1 << 20

// maxSector is more than any disk has: its byte would not fit an int64.
const maxSector = 1<<63/SectorSize - 1

const gptMagic = "EFI PART"

// gpt is a GUID partition table: the primary one, which alone counts.
type gpt struct {
	sectors uint64
	mbr     []byte
	header  []byte // the whole sector 1
	entries []byte // whole sectors
	backup  uint64 // sector of the backup header as it was read
	dirty   bool
	stale   []int // entries of a hybrid MBR that no longer say what the table does
}

func readGPT(r io.ReaderAt, mbr []byte, sectors uint64) (*gpt, error) {
	header, err := readSector(r, 1, sectors)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(r, header, sectors); err != nil {
		return nil, err
	}
	g := &gpt{sectors: sectors, mbr: mbr, header: header, backup: le64(header[gptAlternate:])}
	return g, g.readEntries(r)
}

func checkHeader(r io.ReaderAt, h []byte, sectors uint64) error {
	if !bytes.HasPrefix(h, []byte(gptMagic)) {
		if large, err := readSector(r, 8, sectors); err == nil && bytes.HasPrefix(large, []byte(gptMagic)) {
			return ErrSectors
		}
		return fmt.Errorf("the protective MBR has no GPT header behind it: %w", ErrDamaged)
	}
	if rev := le32(h[gptRevision:]); rev != 0x10000 {
		return fmt.Errorf("GPT revision %#x is not in this version", rev)
	}
	size := le32(h[gptHeaderSize:])
	if size < gptHeaderLeast || size > SectorSize {
		return fmt.Errorf("GPT header of %d bytes: %w", size, ErrDamaged)
	}
	if headerCRC(h) != le32(h[gptHeaderCRC:]) {
		return fmt.Errorf("checksum of the GPT header does not match: %w", ErrDamaged)
	}
	if my := le64(h[gptMyLBA:]); my != 1 {
		return fmt.Errorf("GPT header says it lies at sector %d, not 1: %w", my, ErrDamaged)
	}
	return nil
}

func (g *gpt) readEntries(r io.ReaderAt) error {
	count, size := uint64(le32(g.header[gptEntryCount:])), uint64(le32(g.header[gptEntrySize:]))
	if size < entryLeast || size > 4096 || size&(size-1) != 0 || count == 0 || count > maxEntries/size {
		return fmt.Errorf("%d GPT entries of %d bytes: %w", count, size, ErrDamaged)
	}
	at := le64(g.header[gptEntriesLBA:])
	sectors := (count*size + SectorSize - 1) / SectorSize
	if at < 2 || at >= g.sectors || sectors > g.sectors-at {
		return fmt.Errorf("GPT entries at sector %d of %d: %w", at, g.sectors, ErrDamaged)
	}
	g.entries = make([]byte, sectors*SectorSize)
	if _, err := r.ReadAt(g.entries, int64(at)*SectorSize); err != nil {
		return fmt.Errorf("reading the GPT entries: %w", err)
	}
	if g.entriesCRC() != le32(g.header[gptEntriesCRC:]) {
		return fmt.Errorf("checksum of the GPT entries does not match: %w", ErrDamaged)
	}
	return g.checkEntries()
}

// checkEntries refuses entries that end before they start or lie on the table.
func (g *gpt) checkEntries() error {
	tableEnd := le64(g.header[gptEntriesLBA:]) + g.entrySectors()
	for n := 1; n <= g.count(); n++ {
		e := g.entry(n)
		if !inUse(e) {
			continue
		}
		first, last := le64(e[entryFirst:]), le64(e[entryLast:])
		if first < tableEnd || last < first || last >= maxSector {
			return fmt.Errorf("partition %d from sector %d to %d: %w", n, first, last, ErrDamaged)
		}
		if n > maxPartitions {
			return fmt.Errorf("partition number %d is not in this version", n)
		}
	}
	return nil
}

func (g *gpt) count() int           { return int(le32(g.header[gptEntryCount:])) }
func (g *gpt) entrySectors() uint64 { return uint64(len(g.entries)) / SectorSize }

// entry returns the entry of partition n in place.
func (g *gpt) entry(n int) []byte {
	size := int(le32(g.header[gptEntrySize:]))
	return g.entries[(n-1)*size : n*size]
}

func inUse(e []byte) bool { return !bytes.Equal(e[entryType:entryUUID], make([]byte, 16)) }

func (g *gpt) id() string { return guid(g.header[gptDiskGUID:]) }

func (g *gpt) partitions() []Partition {
	var parts []Partition
	for n := 1; n <= g.count(); n++ {
		e := g.entry(n)
		if !inUse(e) {
			continue
		}
		first, last := le64(e[entryFirst:]), le64(e[entryLast:])
		parts = append(parts, Partition{
			Number: n,
			Start:  int64(first) * SectorSize,
			Size:   int64(last-first+1) * SectorSize,
			Type:   guid(e[entryType:]),
			UUID:   guid(e[entryUUID:]),
			Name:   nameOf(e[entryName:entryLeast]),
		})
	}
	return parts
}

// headerCRC computes the checksum of a header as if its field were zero.
func headerCRC(h []byte) uint32 {
	h = bytes.Clone(h[:le32(h[gptHeaderSize:])])
	clear(h[gptHeaderCRC : gptHeaderCRC+4])
	return crc32.ChecksumIEEE(h)
}

func (g *gpt) entriesCRC() uint32 {
	n := g.count() * int(le32(g.header[gptEntrySize:]))
	return crc32.ChecksumIEEE(g.entries[:n])
}

// guid formats a GUID, whose first three fields are little-endian (appendix A).
func guid(b []byte) string {
	return fmt.Sprintf("%08X-%04X-%04X-%04X-%012X",
		le32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

// nameOf decodes a name: UTF-16LE up to the first NUL.
func nameOf(b []byte) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return strings.ToValidUTF8(string(utf16.Decode(u)), "�")
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
