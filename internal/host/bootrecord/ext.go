package bootrecord

import (
	"encoding/binary"
	"fmt"
)

// Fields of the superblock of ext2, ext3 and ext4 (kernel, Documentation/filesystems/ext4).
const (
	superblock  = 1024 // where it begins
	blocksLow   = 0x04
	logBlock    = 0x18
	magic       = 0x38
	incompat    = 0x60
	uuid        = 0x68
	blocksHigh  = 0x150
	extMagic    = 0xef53
	bits64      = 0x80
	maxLogBlock = 6 // 64 KiB
)

// ext is what is known about a file system.
type ext struct {
	bytes int64
	id    [4]byte // for the disk, never zero
}

// readExt reads the superblock of a file system that begins with head.
func readExt(head []byte) (ext, error) {
	if len(head) < Head || binary.LittleEndian.Uint16(head[superblock+magic:]) != extMagic {
		return ext{}, ErrNotExt
	}
	sb := head[superblock:Head]
	log := binary.LittleEndian.Uint32(sb[logBlock:])
	blocks := uint64(binary.LittleEndian.Uint32(sb[blocksLow:]))
	if binary.LittleEndian.Uint32(sb[incompat:])&bits64 != 0 {
		blocks |= uint64(binary.LittleEndian.Uint32(sb[blocksHigh:])) << 32
	}
	if log > maxLogBlock || blocks == 0 || blocks >= 1<<47 {
		return ext{}, fmt.Errorf("%w: its superblock has %d blocks of 2^%d KiB", ErrNotExt, blocks, log)
	}
	e := ext{bytes: int64(blocks) << (10 + log)}
	// The same dump makes the same disk.
	if copy(e.id[:], sb[uuid:]); e.id == [4]byte{} {
		e.id = [4]byte{'s', 'n', 'f', 1}
	}
	return e, nil
}
