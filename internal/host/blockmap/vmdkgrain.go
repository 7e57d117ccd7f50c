package blockmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"sync"

	"snf-image/internal/host/inflate"
)

// Markers are between the parts of a compressed extent: before a grain its first sector on
// the disk and its length, before others the number of their sectors, 0 and a type.
const (
	markerLength    = 12
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
)

// marker is what stands before a part.
type marker struct {
	number uint64
	length uint32 // of a compressed grain; 0 for other parts
}

func parseMarker(b []byte) marker {
	return marker{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])}
}

// grains unpacks the compressed grains of a file.
type grains struct {
	file  *file
	head  *vmdkHead
	pools sync.Pool // of *unpacker
}

// unpacker is what it takes to unpack one grain after the other.
type unpacker struct {
	packed  []byte
	whole   []byte // a grain, and a byte more
	deflate inflate.Decoder
}

func newGrains(f *file, h *vmdkHead) *grains { return &grains{file: f, head: h} }

// unpack fills p from the byte in of a grain.
func (g *grains) unpack(p []byte, number, at, in int64) error {
	u, ok := g.pools.Get().(*unpacker)
	if !ok {
		u = new(unpacker)
	}
	defer g.pools.Put(u)
	var b [markerLength]byte
	if err := g.file.read(b[:], at); err != nil {
		return err
	}
	m := parseMarker(b[:])
	if m.number != uint64(number*g.head.grain/sector) {
		return fmt.Errorf("%w: the grain at %#x is that of sector %d, and not of sector %d", ErrDamaged, at, m.number, number*g.head.grain/sector)
	}
	err := u.fetch(g.head, m, func(p []byte) error { return g.file.read(p, at+markerLength) })
	if err != nil {
		return fmt.Errorf("the grain at %#x: %w", at, err)
	}
	copy(p, u.whole[in:])
	return nil
}

// fetch unpacks the grain behind the marker m to u.whole; read reads the compressed bytes.
func (u *unpacker) fetch(h *vmdkHead, m marker, read func([]byte) error) error {
	if m.length == 0 || int64(m.length) > 2*h.grain {
		return fmt.Errorf("%w: it has %d compressed bytes", ErrDamaged, m.length)
	}
	if u.whole == nil {
		u.packed, u.whole = make([]byte, 2*h.grain), make([]byte, h.grain+1)
	}
	packed := u.packed[:m.length]
	if err := read(packed); err != nil {
		return err
	}
	return u.inflate(packed, min(h.grain, h.size-int64(m.number)*sector))
}

// inflate fills u.whole, of which n bytes at least have to be there. Around the compressed
// bytes are a header and a checksum (RFC 1950, section 2.2).
func (u *unpacker) inflate(packed []byte, n int64) error {
	const head, tail, deflate, dictionary = 2, 4, 8, 0x20
	if len(packed) < head || packed[0]&0xf != deflate || packed[1]&dictionary != 0 || binary.BigEndian.Uint16(packed)%31 != 0 {
		return fmt.Errorf("%w: it does not begin as compressed data does", ErrDamaged)
	}
	got, end, err := u.deflate.DecodeAll(u.whole, packed[head:])
	switch {
	case errors.Is(err, inflate.ErrLong):
		return fmt.Errorf("%w: it is longer than a grain", ErrDamaged)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case int64(got) < n:
		return fmt.Errorf("%w: it ends after %d bytes", ErrDamaged, got)
	case len(packed)-head-end < tail || binary.BigEndian.Uint32(packed[head+end:]) != adler32.Checksum(u.whole[:got]):
		return fmt.Errorf("%w: its checksum does not match", ErrDamaged)
	}
	return nil
}
