package blockmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// Fields of a VHD footer and of the header of a dynamic disk, and what they hold (Microsoft,
// Virtual Hard Disk Image Format Specification, 2006). All numbers are big-endian.
const (
	vhdMagic      = "conectix"
	vhdHeadMagic  = "cxsparse"
	vhdVersion    = 0x00010000
	vhdFixed      = 2
	vhdDynamic    = 3
	vhdDiffering  = 4
	vhdHeadLength = 1024
	vhdNotYet     = 0xffffffff
	vhdReserved   = 1 << 1 // the one feature that every image has
	vhdTemporary  = 1 << 0
	minVHDBlock   = 64 << 10
	maxVHDBlock   = 16 << 20
	maxGeometry   = 65535 * 16 * 255 // sectors
)

// vhdFooter is the part of a footer that matters.
type vhdFooter struct {
	kind   uint32
	size   int64 // of the disk
	stored int64 // of the disk as the file holds it
	header int64 // where that of a dynamic disk is
}

// IsVHD reports whether a file that begins with head is a dynamic VHD image. A fixed one
// begins as its disk does.
func IsVHD(head []byte) bool { return bytes.HasPrefix(head, []byte(vhdMagic)) }

// vhdSum is the checksum of a structure that has it at a place: the complement of the sum of
// its bytes.
func vhdSum(b []byte, at int) uint32 {
	sum := uint32(0)
	for i, c := range b {
		if i < at || i >= at+4 {
			sum += uint32(c)
		}
	}
	return ^sum
}

// parseFooter reads a footer and refuses by name what is not to be had.
func parseFooter(b []byte) (*vhdFooter, error) {
	if len(b) < sector || !IsVHD(b) {
		return nil, fmt.Errorf("%w: its footer is incomplete", ErrDamaged)
	}
	b = b[:sector]
	be := binary.BigEndian
	f := &vhdFooter{kind: be.Uint32(b[60:])}
	features, version := be.Uint32(b[8:]), be.Uint32(b[12:])
	switch {
	case be.Uint32(b[64:]) != vhdSum(b, 64):
		return nil, fmt.Errorf("%w: the checksum of its footer is wrong", ErrDamaged)
	case version != vhdVersion:
		return nil, fmt.Errorf("%w: VHD version %#x is unknown", ErrRefused, version)
	case features&^(vhdReserved|vhdTemporary) != 0:
		return nil, fmt.Errorf("%w: it uses features this version does not know (bits %#x)", ErrRefused, features&^(vhdReserved|vhdTemporary))
	case f.kind == vhdDiffering:
		return nil, fmt.Errorf("%w: it holds only what differs from another image", ErrRefused)
	case f.kind != vhdFixed && f.kind != vhdDynamic:
		return nil, fmt.Errorf("%w: VHD type %d is unknown", ErrRefused, f.kind)
	case b[84] != 0:
		return nil, fmt.Errorf("%w: it holds the saved state of a machine", ErrRefused)
	}
	size, offset := vhdSize(b), be.Uint64(b[16:])
	for _, n := range []uint64{size, be.Uint64(b[48:])} {
		if err := checkSize(n); err != nil {
			return nil, err
		}
	}
	if f.kind == vhdDynamic && (offset%sector != 0 || offset > maxDisk) {
		return nil, fmt.Errorf("%w: its header is at %#x", ErrDamaged, offset)
	}
	f.size, f.stored, f.header = int64(size), int64(be.Uint64(b[48:])), int64(offset)
	return f, nil
}

// vhdSize returns the length of the disk. Virtual PC, and QEMU where it was not told
// otherwise, show a machine only what the geometry reaches; all others go by the size.
func vhdSize(b []byte) uint64 {
	be := binary.BigEndian
	size := be.Uint64(b[48:])
	sectors := uint64(be.Uint16(b[56:])) * uint64(b[58]) * uint64(b[59])
	if creator := string(b[28:32]); creator != "vpc " && creator != "qemu" || sectors == maxGeometry {
		return size
	}
	return min(size, sectors*sector)
}

// MostVHD returns how long a file that begins with head can be at most, and the size of its
// disk. It knows dynamic images only.
func MostVHD(head []byte) (file, disk int64, err error) {
	f, err := parseFooter(head)
	if err != nil {
		return 0, 0, err
	}
	return most(f.stored, maxVHDBlock), f.size, nil
}

// FixedVHD returns the size of the disk that a file of size bytes holds that ends with the
// footer.
func FixedVHD(footer []byte, size int64) (int64, error) {
	f, err := parseFooter(footer)
	switch {
	case err != nil:
		return 0, err
	case f.kind != vhdFixed:
		return 0, fmt.Errorf("%w: the copy of its footer at the beginning is missing", ErrDamaged)
	case f.stored != size-sector:
		return 0, fmt.Errorf("%w: its disk has %d bytes, the file holds %d", ErrDamaged, f.stored, size-sector)
	}
	return f.size, nil
}

// EndsAsVHD reports whether the last sector of a file of size bytes makes it a VHD image.
func EndsAsVHD(last []byte, size int64) bool {
	if len(last) != sector || !IsVHD(last) {
		return false
	}
	be := binary.BigEndian
	return be.Uint32(last[64:]) == vhdSum(last, 64) || be.Uint64(last[48:]) == uint64(size-sector)
}

// vhdHeader is the part of the header of a dynamic disk that matters.
type vhdHeader struct {
	table int64
	count int64
	block int64
}

// parseVHDHeader reads the header of a dynamic disk.
func parseVHDHeader(b []byte) (*vhdHeader, error) {
	be := binary.BigEndian
	table, version, block := be.Uint64(b[16:]), be.Uint32(b[24:]), be.Uint32(b[32:])
	h := &vhdHeader{table: int64(table), count: int64(be.Uint32(b[28:])), block: int64(block)}
	switch {
	case !bytes.HasPrefix(b, []byte(vhdHeadMagic)):
		return nil, fmt.Errorf("%w: the header of a dynamic disk is missing", ErrDamaged)
	case be.Uint32(b[36:]) != vhdSum(b, 36):
		return nil, fmt.Errorf("%w: the checksum of its header is wrong", ErrDamaged)
	case version != vhdVersion:
		return nil, fmt.Errorf("%w: version %#x of a dynamic disk is unknown", ErrRefused, version)
	case !powerOfTwo(uint64(block)) || block < minVHDBlock || block > maxVHDBlock:
		return nil, fmt.Errorf("%w: blocks of %d bytes", ErrRefused, block)
	case table%sector != 0 || table > maxDisk:
		return nil, fmt.Errorf("%w: its table of blocks is at %#x", ErrDamaged, table)
	case h.count*4 > maxTable:
		return nil, fmt.Errorf("%w: a table of %d blocks", ErrRefused, h.count)
	}
	return h, nil
}

// OpenVHD opens the dynamic VHD image in f.
func OpenVHD(f *os.File) (*Image, error) {
	in, head, err := open(f)
	if err != nil {
		return nil, err
	}
	foot, err := parseFooter(head)
	if err != nil {
		return nil, err
	}
	if foot.kind != vhdDynamic {
		return nil, fmt.Errorf("%w: it begins with the footer of a fixed disk", ErrDamaged)
	}
	b := make([]byte, vhdHeadLength)
	if err := in.read(b, foot.header); err != nil {
		return nil, err
	}
	h, err := parseVHDHeader(b)
	if err != nil {
		return nil, err
	}
	if h.count < blocks(foot.size, h.block) {
		return nil, fmt.Errorf("%w: its table of %d blocks does not reach to the end of its disk", ErrDamaged, h.count)
	}
	if err := in.endsAsVHD(head); err != nil {
		return nil, err
	}
	return openVHD(in, foot, h)
}

// endsAsVHD checks that the footer, which begins the file, ends it too: it is written behind
// the last block. Images made before 2004 lack its last byte.
func (f *file) endsAsVHD(head []byte) error {
	last := make([]byte, sector)
	if err := f.read(last, f.size-sector); err != nil {
		return err
	}
	if !IsVHD(last) && !IsVHD(last[1:]) {
		return fmt.Errorf("its footer is not at its end: %w", ErrTruncated)
	}
	for _, r := range [][2]int{{16, 24}, {48, 64}, {68, 84}} { // header, sizes, type, identity
		if IsVHD(last) && !bytes.Equal(last[r[0]:r[1]], head[r[0]:r[1]]) {
			return fmt.Errorf("%w: its footer differs from the copy at its beginning", ErrDamaged)
		}
	}
	return nil
}

// openVHD makes the disk out of its checked headers.
func openVHD(in *file, foot *vhdFooter, h *vhdHeader) (*Image, error) {
	areas := []area{{"the copy of the footer", 0, sector}, {"the header", foot.header, vhdHeadLength}, {"the table of blocks", h.table, h.count * 4}}
	if err := apart(in.size, areas); err != nil {
		return nil, err
	}
	// Before each block there is a bit for each of its sectors, that of a differencing disk
	// which holds data; else all of a block is the disk's.
	lead := blocks(h.block/sector/8, sector) * sector
	m := &Image{file: in, size: foot.size, block: h.block}
	m.find = func(i int64) (place, error) {
		b, err := in.table(h.table+i*4, 4)
		if err != nil {
			return place{}, err
		}
		n := binary.BigEndian.Uint32(b)
		if n == vhdNotYet {
			return nowhere(1), nil
		}
		return place{at: int64(n)*sector + lead}, nil
	}
	return m, m.check(areas, lead, sector)
}
