// Package bootrecord makes what stands on a disk before its only partition: a master boot
// record with boot code of our own that starts the partition's boot sector.
//
// It computes bytes and reads or writes nothing. Of the file system in the partition it
// believes only the size, which the caller holds against the length of the dump.
package bootrecord

import (
	_ "embed" // the boot code
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// code is made of code/mbr.asm, which says how; a test makes it again.
//
//go:embed code/mbr.bin
var code []byte

const (
	// Size is how many bytes stand before the partition, which is where programs that
	// make disks begin it.
	Size = 1 << 20
	// Head is how many bytes of a dump New needs.
	Head = superblock + 1024

	sector = 512
	// linux and windows are types of the partition, active is its mark.
	linux   = 0x83
	windows = 0x07
	active  = 0x80
)

// Errors of a dump.
var (
	ErrNotExt   = errors.New("it is not a dump of an ext2, ext3 or ext4 file system")
	ErrNotNTFS  = errors.New("it is not a dump of an NTFS file system")
	ErrTooLarge = errors.New("the partition table before a dump is an MBR, whose partitions have at most 2 TiB")
)

// New returns the Size bytes before the dump of an ext2, ext3 or ext4 file system that begins
// with head and has a length in bytes, 0 when that is not known: the partition is as large as
// the file system then. need is how many bytes the file system has.
func New(head []byte, length int64) (before []byte, need int64, err error) {
	fs, err := readExt(head)
	if err != nil {
		return nil, 0, err
	}
	if length == 0 {
		length = fs.bytes
	}
	before, err = record(fs.id, linux, length)
	return before, fs.bytes, err
}

// record returns the Size bytes before a partition of a type with that many bytes.
func record(id [4]byte, kind byte, length int64) ([]byte, error) {
	if length/sector > math.MaxUint32-Size/sector {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrTooLarge, length)
	}
	b := make([]byte, Size)
	copy(b, code)
	copy(b[440:444], id[:])
	putEntry(b[446:462], kind, Size/sector, uint32(length/sector))
	binary.LittleEndian.PutUint16(b[510:], 0xaa55)
	return b, nil
}

// putEntry writes an active entry of a partition table.
func putEntry(e []byte, kind byte, start, count uint32) {
	e[0], e[4] = active, kind
	putGeometry(e[1:4], start)
	putGeometry(e[5:8], start+count-1)
	binary.LittleEndian.PutUint32(e[8:], start)
	binary.LittleEndian.PutUint32(e[12:], count)
}

// putGeometry writes where a sector is by cylinder, head and sector on a disk with 255 heads and
// 63 sectors, the last such place for all that lies behind.
func putGeometry(e []byte, at uint32) {
	const heads, sectors, cylinders = 255, 63, 1024
	c, h, s := at/(heads*sectors), at/sectors%heads, at%sectors+1
	if c >= cylinders {
		c, h, s = cylinders-1, heads-1, sectors
	}
	e[0], e[1], e[2] = byte(h), byte(s|c>>8<<6), byte(c)
}
