// Package inflate decompresses deflate (RFC 1951) from memory to memory, where the length
// of what comes out is known: the clusters of qcow2, the grains of VMDK.
//
// It exists for its speed. A decoder for streams has to stop and go on at any byte and
// keeps a window of its own; for clusters of 64 KiB that takes about twice the time.
package inflate

import (
	"encoding/binary"
	"errors"
)

// Errors of Decoder.Decode.
var (
	ErrData  = errors.New("its deflate data is damaged")
	ErrShort = errors.New("its deflate data ends too early")
	ErrLong  = errors.New("its deflate data is longer than it should be")
)

// Decoder decodes one stream after the other. Its zero value is ready.
type Decoder struct {
	bits  uint64 // not used yet, the lowest first
	n     uint   // how many
	src   []byte
	pos   int  // in src
	extra uint // bytes of zeros that were taken behind the end of src

	dst []byte
	out int // bytes of dst that are written

	literals  [1<<literalBits + maxLiterals<<(maxCode-literalBits)]entry
	distances [1<<distanceBits + maxDistances<<(maxCode-distanceBits)]entry
	lengths   [1 << lengthBits]entry // of the codes of the two others
}

// Decode fills dst with the beginning of what src decompresses to.
func (d *Decoder) Decode(dst, src []byte) error {
	err := d.decode(dst, src)
	if err == nil && d.out < len(dst) {
		return ErrShort
	}
	return err
}

// DecodeAll decompresses a stream that src begins with. It returns how much that is, which
// has to be less than dst has room for, and where the stream ends.
func (d *Decoder) DecodeAll(dst, src []byte) (n, end int, err error) {
	err = d.decode(dst, src)
	if err == nil && d.out == len(dst) {
		err = ErrLong
	}
	return d.out, d.pos + int(d.extra) - int(d.n/8), err
}

func (d *Decoder) decode(dst, src []byte) error {
	d.bits, d.n, d.src, d.pos, d.extra, d.dst, d.out = 0, 0, src, 0, 0, dst, 0
	defer func() { d.src, d.dst = nil, nil }()
	for last := false; d.out < len(d.dst) && !last; {
		d.fill()
		last = d.take(1) == 1
		if err := d.block(d.take(2)); err != nil {
			return err
		}
		if d.short() {
			return ErrShort
		}
	}
	return nil
}

// block decodes a block of a kind (section 3.2.3).
func (d *Decoder) block(kind uint64) error {
	switch kind {
	case 0:
		return d.stored()
	case 1:
		d.fixed()
	case 2:
		if err := d.dynamic(); err != nil {
			return err
		}
	default:
		return ErrData
	}
	return d.symbols()
}

// minBits is how many bits there are at least after fill: a length and a distance take 48.
const minBits = 56

// fill takes bits together.
func (d *Decoder) fill() {
	if d.pos+8 <= len(d.src) {
		// More bits than are counted come in; the next time they are the same.
		d.bits |= binary.LittleEndian.Uint64(d.src[d.pos:]) << d.n
		d.pos += int(63-d.n) >> 3
		d.n |= minBits
		return
	}
	for d.n < minBits {
		if d.pos < len(d.src) {
			d.bits |= uint64(d.src[d.pos]) << d.n
			d.pos++
		} else {
			d.extra++
		}
		d.n += 8
	}
}

// short reports whether something was decoded that is behind the end of src.
func (d *Decoder) short() bool { return d.extra*8 > d.n }

// take returns the next n bits, which are there.
func (d *Decoder) take(n uint) uint64 {
	v := d.bits & (1<<n - 1)
	d.bits >>= n
	d.n -= n
	return v
}

// stored copies a block (section 3.2.4).
func (d *Decoder) stored() error {
	if d.take(d.n % 8); d.short() {
		return ErrShort
	}
	d.pos -= int(d.n/8 - d.extra)
	d.bits, d.n, d.extra = 0, 0, 0
	if len(d.src)-d.pos < 4 {
		return ErrShort
	}
	n := int(binary.LittleEndian.Uint16(d.src[d.pos:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(d.src[d.pos+2:])) {
		return ErrData
	}
	d.pos += 4
	n = min(n, len(d.dst)-d.out)
	if n > len(d.src)-d.pos {
		return ErrShort
	}
	copy(d.dst[d.out:], d.src[d.pos:d.pos+n])
	d.pos, d.out = d.pos+n, d.out+n
	return nil
}

// symbols decodes literals and matches up to the end of the block or of dst.
func (d *Decoder) symbols() error {
	dst := d.dst
	for d.out < len(dst) {
		if d.fill(); d.short() {
			return ErrShort
		}
		bits, n, out := d.bits, d.n, d.out
		e := d.literal(bits)
		for range maxAtOnce {
			if e&isLiteral == 0 || out == len(dst) {
				break
			}
			dst[out] = byte(e >> valueShift)
			bits, n, out = bits>>(e&codeMask), n-uint(e&codeMask), out+1
			e = d.literal(bits)
		}
		if out > d.out {
			d.bits, d.n, d.out = bits, n, out
			continue
		}
		bits, n = bits>>(e&codeMask), n-uint(e&codeMask)
		if e&isEnd != 0 {
			d.bits, d.n = bits, n
			return nil
		}
		length := int(e>>valueShift) + int(bits&e.extraMask())
		bits, n = bits>>e.extra(), n-e.extra()
		f := d.distance(bits)
		bits, n = bits>>(f&codeMask), n-uint(f&codeMask)
		back := int(f>>valueShift) + int(bits&f.extraMask())
		d.bits, d.n = bits>>f.extra(), n-f.extra()
		if e>>valueShift == 0 || f>>valueShift == 0 || back > out {
			return ErrData
		}
		d.out = repeat(dst, out, back, length)
	}
	return nil
}

// maxAtOnce is how many literals fit in minBits.
const maxAtOnce = minBits / maxCode

// repeat writes length bytes, as far as there is room, at dst[out:] which are those back
// bytes before, and returns where they end.
func repeat(dst []byte, out, back, length int) int {
	if back >= 8 && out+length+8 <= len(dst) {
		for from, end := out-back, out+length; ; from, out = from+8, out+8 {
			if out >= end {
				return end
			}
			binary.LittleEndian.PutUint64(dst[out:], binary.LittleEndian.Uint64(dst[from:]))
		}
	}
	from, end := out-back, min(out+length, len(dst))
	for out < end {
		out += copy(dst[out:end], dst[from:out]) // twice as much each time
	}
	return end
}
