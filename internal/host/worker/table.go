package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"snf-image/internal/host/target"
)

// errCut is a stream that ends before the disk does that it is a dump of. (Of an image
// file, the helper says so.)
var errCut = errors.New("it is cut short")

// tableBytes is how much of the start of a disk is looked at: a GPT with its entries,
// also where sectors have 4096 bytes.
const tableBytes = 64 << 10

// whole refuses a stream of n bytes whose partition table says that the disk goes on.
// Nothing else of the table means anything to the worker. Where the disk that is
// written ends as well, there is no more to come.
func whole(head []byte, n, diskSize int64, dump bool) error {
	if n == diskSize {
		return nil
	}
	end := mbrEnd(head)
	for _, sector := range []int64{target.Sector, 4096} {
		if partitions, disk, ok := gptEnd(head, sector); ok {
			end = partitions
			if dump { // an image may have been cut behind its last partition
				end = max(partitions, disk)
			}
			break
		}
	}
	if end > n {
		return reading(fmt.Errorf("%w: there are %d bytes, and by its partition table at least %d", errCut, n, end))
	}
	return nil
}

// mbrEnd returns where the last primary or extended partition of an MBR ends, 0 where
// there is none. The first sector of a file system looks much the same, and has program
// code or nothing where an MBR has its entries.
func mbrEnd(head []byte) int64 {
	const entries, size, count = 446, 16, 4
	if len(head) < target.Sector || head[510] != 0x55 || head[511] != 0xaa || isBootSector(head) {
		return 0
	}
	type area struct{ start, end int64 }
	var areas []area
	for i := range count {
		e := head[entries+i*size:][:size]
		start, sectors := int64(binary.LittleEndian.Uint32(e[8:])), int64(binary.LittleEndian.Uint32(e[12:]))
		switch {
		case e[0] != 0 && e[0] != 0x80: // neither inactive nor active
			return 0
		case e[4] == 0 || sectors == 0:
			continue
		case e[4] == 0xee: // the protective entry of a GPT, which tells for itself
			return 0
		case start == 0:
			return 0
		}
		areas = append(areas, area{start, start + sectors})
	}
	slices.SortFunc(areas, func(a, b area) int { return int(a.start - b.start) })
	end := int64(0)
	for _, a := range areas {
		if a.start < end { // no table of partitions overlaps itself
			return 0
		}
		end = a.end
	}
	return end * target.Sector
}

// isBootSector reports whether the first sector is that of a FAT or NTFS file system.
func isBootSector(head []byte) bool {
	return bytes.HasPrefix(head[3:], []byte("NTFS    ")) || bytes.HasPrefix(head[3:], []byte("EXFAT   ")) ||
		bytes.HasPrefix(head[0x36:], []byte("FAT")) || bytes.HasPrefix(head[0x52:], []byte("FAT32"))
}

// gptEnd returns where the last partition of a GPT ends, and where the disk ends whose
// last sector holds the backup (UEFI specification, section 5.3.2).
func gptEnd(head []byte, sector int64) (partitions, disk int64, ok bool) {
	if int64(len(head)) < 2*sector {
		return 0, 0, false
	}
	h := bytes.Clone(head[sector : 2*sector])
	length := binary.LittleEndian.Uint32(h[12:])
	if !bytes.HasPrefix(h, []byte("EFI PART")) || length < 92 || int64(length) > sector {
		return 0, 0, false
	}
	sum := binary.LittleEndian.Uint32(h[16:])
	copy(h[16:20], make([]byte, 4)) // it is counted as zero
	if crc32.ChecksumIEEE(h[:length]) != sum {
		return 0, 0, false
	}
	at, count := binary.LittleEndian.Uint64(h[72:]), binary.LittleEndian.Uint32(h[80:])
	size := binary.LittleEndian.Uint32(h[84:])
	last := uint64(0)
	for i := range min(uint64(count), maxEntries) {
		if at > tableBytes || size < 128 || size > tableBytes {
			break
		}
		from := at*uint64(sector) + i*uint64(size)
		if from+uint64(size) > uint64(len(head)) {
			break
		}
		e := head[from:]
		if !bytes.Equal(e[:16], make([]byte, 16)) {
			last = max(last, binary.LittleEndian.Uint64(e[40:]))
		}
	}
	return bytesOf(last, sector), bytesOf(binary.LittleEndian.Uint64(h[32:]), sector), true
}

// maxEntries is more than any table of partitions has.
const maxEntries = 1024

// bytesOf returns where a sector ends, 0 for the first one and for nonsense.
func bytesOf(lba uint64, sector int64) int64 {
	if lba == 0 || lba > 1<<50 {
		return 0
	}
	return (int64(lba) + 1) * sector
}
