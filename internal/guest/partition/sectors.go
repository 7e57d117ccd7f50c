package partition

import (
	"bytes"
	"errors"
	"io"
)

// largeSector is the size of logical sectors of which tables are recognized, to be refused.
const largeSector = 4096

// ErrSectors is the error of a table that was made on a disk with larger sectors.
var ErrSectors = errors.New("the partition table was made for sectors of 4096 bytes, and the disks of instances have sectors of 512")

// madeForLarge reports whether an MBR makes sense with sectors of 4096 bytes alone. An MBR
// does not say how large its sectors are: what its partitions hold does.
func madeForLarge(r io.ReaderAt, mbr []byte, size int64) bool {
	large := false
	for i := range 4 {
		e := entryOf(mbr, i)
		switch {
		case !e.used():
		case holdsSomething(r, int64(e.start())*SectorSize):
			return false
		case int64(e.start()+e.size())*largeSector > size:
			return false
		case holdsSomething(r, int64(e.start())*largeSector):
			large = true
		}
	}
	return large
}

// marks are where on a device what is found on disks says what it is.
var marks = []struct {
	at   int64
	text string
}{
	{0, "XFSB"},
	{0, "LUKS\xba\xbe"},
	{510, "\x55\xaa"}, // FAT, NTFS, boot code of any system, the first record of an extended partition
	{512, "LABELONE"},
	{1080, "\x53\xef"}, // ext2, ext3, ext4
	{4086, "SWAPSPACE2"},
	{btrfsMark, "_BHRfS_M"},
}

const btrfsMark = 64<<10 + 64

// holdsSomething reports whether a device that begins at a byte of the disk bears one of the
// marks.
func holdsSomething(r io.ReaderAt, start int64) bool {
	head := make([]byte, 4096)
	_, _ = r.ReadAt(head, start)
	super := make([]byte, len(marks[len(marks)-1].text))
	_, _ = r.ReadAt(super, start+btrfsMark)
	for _, m := range marks {
		at := super
		if m.at < int64(len(head)) {
			at = head[m.at:]
		}
		if bytes.HasPrefix(at, []byte(m.text)) {
			return true
		}
	}
	return false
}
