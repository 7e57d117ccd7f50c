package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Where the parts of a VHDX file are, and how long (Microsoft, MS-VHDX, section 2). All
// numbers are little-endian.
const (
	vhdxMagic     = "vhdxfile"
	vhdxHeaders   = 64 << 10 // two, one after the other
	vhdxHeaderLen = 4 << 10  // of which the checksum is
	vhdxRegions   = 192 << 10
	vhdxTableLen  = 64 << 10
	vhdxUnit      = 1 << 20 // everything behind that begins at a multiple of it
	maxRegions    = 2047
	minVHDXBlock  = 1 << 20
	maxVHDXBlock  = 256 << 20
	maxVHDXDisk   = 64 << 40
	// vhdxChunk is how many sectors of the disk the bits of one block of them describe.
	vhdxChunk = 1 << 23
)

// Identities of regions.
const (
	vhdxBAT      = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	vhdxMetadata = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
)

// States of a block.
const (
	vhdxNotPresent = iota
	vhdxUndefined
	vhdxZero
	vhdxUnmapped
	_
	vhdxUnmappedOld // before version 1.0 of the format
	vhdxPresent
	vhdxPartly
)

// IsVHDX reports whether a file that begins with head is a VHDX image.
func IsVHDX(head []byte) bool { return bytes.HasPrefix(head, []byte(vhdxMagic)) }

// HeadVHDX is how much of the beginning of a file MostVHDX needs, where the sizes stand.
const HeadVHDX = 8 << 20

// MostVHDX returns how long a file that begins with head can be at most, and the size of its
// disk.
func MostVHDX(head []byte) (file, disk int64, err error) {
	h, err := parseVHDX(bytes.NewReader(head), maxVHDXDisk)
	if err != nil {
		return 0, 0, err
	}
	return most(h.size, h.block), h.size, nil
}

// vhdx is what the headers say.
type vhdx struct {
	bat, metadata region
	log           region
	vhdxSizes
}

// region is a part of the file.
type region struct{ at, length int64 }

// parseVHDX reads the headers of a file of size bytes. Of each there are two; they are equal,
// or the file was not closed in order.
func parseVHDX(r io.ReaderAt, size int64) (*vhdx, error) {
	h := new(vhdx)
	head, err := currentHeader(r)
	if err != nil {
		return nil, err
	}
	if err := h.parseHeader(head); err != nil {
		return nil, err
	}
	if err := h.parseRegions(r); err != nil {
		return nil, err
	}
	if err := apart(size, h.areas()); err != nil {
		return nil, err
	}
	b := make([]byte, vhdxTableLen)
	if err := readFull(r, b, h.metadata.at); err != nil {
		return nil, fmt.Errorf("reading its metadata: %w", err)
	}
	h.vhdxSizes, err = parseMetadata(b, func(p []byte, off int64) error {
		if off > h.metadata.length-int64(len(p)) {
			return fmt.Errorf("%w: a piece of its metadata lies outside of its region", ErrDamaged)
		}
		return readFull(r, p, h.metadata.at+off)
	})
	if err != nil {
		return nil, err
	}
	if need := h.entries() * 8; h.bat.length < need {
		return nil, fmt.Errorf("%w: its table of %d bytes does not reach to the end of its disk", ErrDamaged, h.bat.length)
	} else if need > maxTable {
		return nil, fmt.Errorf("%w: a table of %d bytes", ErrRefused, need)
	}
	return h, nil
}

// readFull reads all of p. The end of what is to be had is that of the image.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumVHDX reports whether the checksum at byte 4 of b is right.
func sumVHDX(b []byte) bool {
	sum := crc32.Update(0, castagnoli, b[:4])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[8:]) == binary.LittleEndian.Uint32(b[4:])
}

// currentHeader returns the header that counts: of the sound ones, that with the higher
// number.
func currentHeader(r io.ReaderAt) ([]byte, error) {
	var current []byte
	number := uint64(0)
	for i := range int64(2) {
		b := make([]byte, vhdxHeaderLen)
		if err := readFull(r, b, vhdxHeaders*(i+1)); err != nil {
			return nil, fmt.Errorf("reading its headers: %w", err)
		}
		n := binary.LittleEndian.Uint64(b[8:])
		if !bytes.HasPrefix(b, []byte("head")) || !sumVHDX(b) || current != nil && n < number {
			continue
		}
		if current != nil && n == number && !bytes.Equal(current, b) {
			return nil, fmt.Errorf("%w: it has two headers of the same age", ErrDamaged)
		}
		current, number = b, n
	}
	if current == nil {
		return nil, fmt.Errorf("%w: none of its headers has the right checksum", ErrDamaged)
	}
	return current, nil
}

// parseHeader reads the current header.
func (h *vhdx) parseHeader(b []byte) error {
	le := binary.LittleEndian
	logVersion, version := le.Uint16(b[64:]), le.Uint16(b[66:])
	length, at := le.Uint32(b[68:]), le.Uint64(b[72:])
	switch {
	case version != 1 || logVersion != 0:
		return fmt.Errorf("%w: VHDX version %d with a log of version %d is unknown", ErrRefused, version, logVersion)
	case len(bytes.Trim(b[48:64], "\x00")) > 0:
		return fmt.Errorf("%w: it was not closed in order and its log has to be replayed; start its machine once, or use qemu-img check -r all", ErrRefused)
	case length%vhdxUnit != 0 || at%vhdxUnit != 0 || at > maxDisk || length > 0 && at < vhdxUnit:
		return fmt.Errorf("%w: its log is at %#x with %d bytes", ErrDamaged, at, length)
	}
	if length > 0 {
		h.log = region{int64(at), int64(length)}
	} else {
		h.log = region{vhdxUnit, 0}
	}
	return nil
}

// parseRegions reads the table of regions, which is there twice: the first one counts that
// is sound.
func (h *vhdx) parseRegions(r io.ReaderAt) error {
	b := make([]byte, vhdxTableLen)
	for i := range int64(2) {
		if err := readFull(r, b, vhdxRegions+i*vhdxTableLen); err != nil {
			return fmt.Errorf("reading its table of regions: %w", err)
		}
		if bytes.HasPrefix(b, []byte("regi")) && sumVHDX(b) {
			return h.parseTable(b)
		}
	}
	return fmt.Errorf("%w: none of its tables of regions has the right checksum", ErrDamaged)
}

// parseTable reads a table of regions.
func (h *vhdx) parseTable(b []byte) error {
	le := binary.LittleEndian
	count := le.Uint32(b[8:])
	if count > maxRegions {
		return fmt.Errorf("%w: a table of %d regions", ErrDamaged, count)
	}
	for e := b[16:]; count > 0; e, count = e[32:], count-1 {
		at, length, required := le.Uint64(e[16:]), le.Uint32(e[24:]), le.Uint32(e[28:])&1 != 0
		var to *region
		switch string(e[:16]) {
		case vhdxBAT:
			to = &h.bat
		case vhdxMetadata:
			to = &h.metadata
		default:
			if required {
				return fmt.Errorf("%w: it uses a region this version does not know (%x)", ErrRefused, e[:16])
			}
			continue
		}
		if to.length != 0 || length == 0 || at%vhdxUnit != 0 || length%vhdxUnit != 0 || at > maxDisk {
			return fmt.Errorf("%w: a region at %#x with %d bytes", ErrDamaged, at, length)
		}
		*to = region{int64(at), int64(length)}
	}
	if h.bat.length == 0 || h.metadata.length == 0 {
		return fmt.Errorf("%w: a region is missing", ErrDamaged)
	}
	return nil
}

// OpenVHDX opens the VHDX image in f.
func OpenVHDX(f *os.File) (*Image, error) {
	in, head, err := open(f)
	if err != nil {
		return nil, err
	}
	if !IsVHDX(head) {
		return nil, fmt.Errorf("%w: it is not a VHDX image", ErrRefused)
	}
	h, err := parseVHDX(f, in.size)
	if err != nil {
		return nil, err
	}
	m := &Image{file: in, size: h.size, block: h.block}
	m.find = func(i int64) (place, error) {
		// Behind the blocks of each chunk there is an entry for the bits of their sectors.
		b, err := in.table(h.bat.at+(i+i/h.perChunk())*8, 8)
		if err != nil {
			return place{}, err
		}
		return placeVHDX(binary.LittleEndian.Uint64(b))
	}
	return m, m.check(h.areas(), 0, vhdxUnit)
}

// areas returns what the headers and regions take.
func (h *vhdx) areas() []area {
	return []area{
		{"the headers", 0, vhdxUnit},
		{"the log", h.log.at, h.log.length},
		{"the table of blocks", h.bat.at, h.bat.length},
		{"the region of metadata", h.metadata.at, h.metadata.length},
	}
}

// placeVHDX decodes an entry of the table of blocks.
func placeVHDX(e uint64) (place, error) {
	at := int64(e >> 20 << 20)
	switch state := e & 7; {
	case e&0xffff8 != 0:
		return place{}, fmt.Errorf("%w: an entry of its table of blocks is %#x", ErrDamaged, e)
	case state == vhdxPartly:
		return place{}, fmt.Errorf("%w: a block is only partly in it, as in what differs from another image", ErrRefused)
	case state == vhdxPresent && at > 0 && at < maxDisk:
		return place{at: at}, nil
	case state == vhdxNotPresent, state == vhdxUndefined, state == vhdxZero, state == vhdxUnmapped, state == vhdxUnmappedOld:
		return nowhere(1), nil
	}
	return place{}, fmt.Errorf("%w: an entry of its table of blocks is %#x", ErrDamaged, e)
}
