package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
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
	packed, whole []byte
	inflate       io.ReadCloser // nil before the first
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
		u.packed, u.whole = make([]byte, 2*h.grain), make([]byte, h.grain)
	}
	packed := u.packed[:m.length]
	if err := read(packed); err != nil {
		return err
	}
	var err error
	from := bytes.NewReader(packed)
	if u.inflate == nil {
		u.inflate, err = zlib.NewReader(from)
	} else {
		err = u.inflate.(zlib.Resetter).Reset(from, nil)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return u.inflateAll(min(h.grain, h.size-int64(m.number)*sector))
}

// inflateAll fills u.whole, of which n bytes at least have to be there, and looks whether
// that is all: the checksum comes at the end.
func (u *unpacker) inflateAll(n int64) error {
	got, err := io.ReadFull(u.inflate, u.whole)
	if err == nil {
		var more [1]byte
		if k, end := u.inflate.Read(more[:]); k > 0 {
			return fmt.Errorf("%w: it is longer than a grain", ErrDamaged)
		} else if !errors.Is(end, io.EOF) {
			return fmt.Errorf("%w: %w", ErrDamaged, end)
		}
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) || int64(got) < n {
		return fmt.Errorf("%w: it ends after %d bytes (%w)", ErrDamaged, got, err)
	}
	return nil
}
