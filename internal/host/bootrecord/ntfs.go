package bootrecord

import (
	"encoding/binary"
	"fmt"
)

// Fields of the boot sector of NTFS.
const (
	ntfsMark      = 3
	ntfsSector    = 11 // bytes
	ntfsHidden    = 28 // sectors before the partition
	ntfsSectors   = 40 // without a copy of the boot sector, which follows them
	ntfsSerial    = 72
	ntfsSignature = 510
)

// NewNTFS is New for a dump of an NTFS file system. Behind the Size bytes follows the boot
// sector of the dump, which has to take the place of the one there: its loader looks for the
// partition where that says it is.
func NewNTFS(head []byte, length int64) (before []byte, need int64, err error) {
	if len(head) < sector || string(head[ntfsMark:ntfsMark+8]) != "NTFS    " || binary.LittleEndian.Uint16(head[ntfsSignature:]) != 0xaa55 {
		return nil, 0, ErrNotNTFS
	}
	size, sectors := uint64(binary.LittleEndian.Uint16(head[ntfsSector:])), binary.LittleEndian.Uint64(head[ntfsSectors:])
	if size < 256 || size > 4096 || size&(size-1) != 0 || sectors == 0 || sectors >= 1<<47 {
		return nil, 0, fmt.Errorf("%w: its boot sector has %d sectors of %d bytes", ErrNotNTFS, sectors, size)
	}
	if need = int64(sectors * size); length == 0 {
		length = need + int64(size)
	}
	var id [4]byte
	if copy(id[:], head[ntfsSerial:]); id == [4]byte{} {
		id = [4]byte{'s', 'n', 'f', 1}
	}
	if before, err = record(id, windows, length); err != nil {
		return nil, 0, err
	}
	boot := append([]byte(nil), head[:sector]...)
	binary.LittleEndian.PutUint32(boot[ntfsHidden:], Size/sector)
	return append(before, boot...), need, nil
}
