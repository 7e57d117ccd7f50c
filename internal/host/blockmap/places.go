package blockmap

import "fmt"

// maxPlaces bounds the memory for the check: two bytes for each block that the file has
// room for.
const maxPlaces = 1 << 25

// places is which parts of a file are taken by blocks of one length. At most one block can
// begin in any stretch of that length, so that one number tells for each stretch where.
type places struct {
	size   int64 // of the file
	areas  []area
	length int64
	unit   int64    // blocks begin at a multiple of it
	begins []uint16 // 0 for none, else how many units behind the begin of the stretch, and 1
}

func newPlaces(size int64, areas []area, length, unit int64) (*places, error) {
	n := size/length + 1
	if n > maxPlaces {
		return nil, fmt.Errorf("%w: a file of %d bytes in blocks of %d is too large", ErrRefused, size, length)
	}
	return &places{size: size, areas: areas, length: length, unit: unit, begins: make([]uint16, n)}, nil
}

// take takes the block at off, of which need bytes have to be in the file.
func (p *places) take(off, need int64) error {
	if off < 0 || off > p.size-need {
		return fmt.Errorf("%w: a block at %#x with %d bytes lies outside of the file", ErrDamaged, off, need)
	}
	if off%p.unit != 0 {
		return fmt.Errorf("%w: a block begins at %#x", ErrDamaged, off)
	}
	for _, a := range p.areas {
		if a.overlaps(off, need) {
			return fmt.Errorf("%w: a block at %#x overlaps %s", ErrDamaged, off, a.name)
		}
	}
	i := off / p.length
	for k := max(i-1, 0); k <= i+1 && k < int64(len(p.begins)); k++ {
		if b := p.begins[k]; b != 0 {
			other := k*p.length + int64(b-1)*p.unit
			if other < off+p.length && off < other+p.length {
				return fmt.Errorf("%w: a block at %#x overlaps another one", ErrDamaged, off)
			}
		}
	}
	p.begins[i] = uint16(off%p.length/p.unit) + 1
	return nil
}

// area is a part of a file that a table or a header takes.
type area struct {
	name       string
	at, length int64
}

// overlaps reports whether the area and n bytes at off have some in common.
func (a area) overlaps(off, n int64) bool {
	return a.length > 0 && n > 0 && off < a.at+a.length && a.at < off+n
}

// apart refuses areas that overlap or lie outside of a file of size bytes.
func apart(size int64, areas []area) error {
	for i, a := range areas {
		if err := a.fits(size, areas[:i]); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses an area that overlaps others or lies outside of a file of size bytes.
func (a area) fits(size int64, others []area) error {
	if a.at < 0 || a.length < 0 || a.at > size-a.length {
		return fmt.Errorf("%w: %s at %#x with %d bytes lies outside of the file", ErrDamaged, a.name, a.at, a.length)
	}
	for _, b := range others {
		if b.overlaps(a.at, a.length) {
			return fmt.Errorf("%w: %s at %#x overlaps %s", ErrDamaged, a.name, a.at, b.name)
		}
	}
	return nil
}
