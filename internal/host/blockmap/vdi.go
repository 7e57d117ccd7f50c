package blockmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// Fields of a VDI header and what they hold (VirtualBox, VDICore.h). All numbers are
// little-endian.
const (
	vdiMagicAt  = 0x40
	vdiMagic    = "\x7f\x10\xda\xbe"
	vdiVersion  = 0x00010001
	vdiHeader   = 0x180 // bytes, from 0x48 on, at least
	vdiDynamic  = 1
	vdiStatic   = 2
	vdiBlock    = 1 << 20
	vdiNotYet   = 0xffffffff
	vdiZero     = 0xfffffffe
	vdiLastUUID = 0x1c8 // behind the last of four
)

// vdiHead is the part of the header that matters.
type vdiHead struct {
	size  int64
	table int64 // where it is
	data  int64 // where blocks begin
	count int64 // of entries
}

// IsVDI reports whether a file that begins with head is a VDI image.
func IsVDI(head []byte) bool {
	return len(head) >= vdiMagicAt+4 && bytes.HasPrefix(head[vdiMagicAt:], []byte(vdiMagic))
}

// MostVDI returns how long a file that begins with head can be at most, and the size of its
// disk.
func MostVDI(head []byte) (file, disk int64, err error) {
	h, err := parseVDI(head)
	if err != nil {
		return 0, 0, err
	}
	return most(h.size, vdiBlock), h.size, nil
}

// parseVDI reads a header and refuses by name what is not to be had.
func parseVDI(head []byte) (*vdiHead, error) {
	if len(head) < vdiLastUUID || !IsVDI(head) {
		return nil, fmt.Errorf("%w: its header is incomplete", ErrDamaged)
	}
	le := binary.LittleEndian
	u32 := func(at int) uint32 { return le.Uint32(head[at:]) }
	size := le.Uint64(head[0x170:])
	switch {
	case u32(0x44) != vdiVersion:
		return nil, fmt.Errorf("%w: VDI version %#x is unknown", ErrRefused, u32(0x44))
	case u32(0x48) < vdiHeader || u32(0x48) > 1<<20:
		return nil, fmt.Errorf("%w: a header of %d bytes", ErrDamaged, u32(0x48))
	case len(bytes.Trim(head[0x1a8:vdiLastUUID], "\x00")) > 0, u32(0x4c) == 3, u32(0x4c) == 4:
		return nil, fmt.Errorf("%w: it holds only what differs from another image", ErrRefused)
	case u32(0x4c) != vdiDynamic && u32(0x4c) != vdiStatic:
		return nil, fmt.Errorf("%w: VDI type %d is unknown", ErrRefused, u32(0x4c))
	case u32(0x168) != sector:
		return nil, fmt.Errorf("%w: sectors of %d bytes", ErrRefused, u32(0x168))
	case u32(0x178) != vdiBlock || u32(0x17c) != 0:
		return nil, fmt.Errorf("%w: blocks of %d bytes with %d more", ErrRefused, u32(0x178), u32(0x17c))
	}
	if err := checkSize(size); err != nil {
		return nil, err
	}
	h := &vdiHead{size: int64(size), table: int64(u32(0x154)), data: int64(u32(0x158)), count: int64(u32(0x180))}
	switch {
	case h.count*4 > maxTable:
		return nil, fmt.Errorf("%w: a table of %d blocks", ErrRefused, h.count)
	case h.count < blocks(h.size, vdiBlock):
		return nil, fmt.Errorf("%w: its table of %d blocks does not reach to the end of its disk", ErrDamaged, h.count)
	case h.table%sector != 0 || h.data%sector != 0 || h.data == 0: // no block lies on the header
		return nil, fmt.Errorf("%w: its table is at %#x, its data at %#x", ErrDamaged, h.table, h.data)
	}
	return h, nil
}

// OpenVDI opens the VDI image in f.
func OpenVDI(f *os.File) (*Image, error) {
	in, head, err := open(f)
	if err != nil {
		return nil, err
	}
	h, err := parseVDI(head)
	if err != nil {
		return nil, err
	}
	areas := []area{{"the header", 0, sector}, {"the table of blocks", h.table, h.count * 4}}
	if err := apart(in.size, areas); err != nil {
		return nil, err
	}
	m := &Image{file: in, size: h.size, block: vdiBlock}
	m.find = func(i int64) (place, error) {
		b, err := in.table(h.table+i*4, 4)
		if err != nil {
			return place{}, err
		}
		n := binary.LittleEndian.Uint32(b)
		if n == vdiNotYet || n == vdiZero {
			return nowhere(1), nil
		}
		return place{at: h.data + int64(n)*vdiBlock}, nil
	}
	return m, m.check(areas, 0, sector)
}
