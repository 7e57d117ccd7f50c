package parallel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"unsafe"

	"snf-image/internal/host/bunzip"
)

var errBits = fmt.Errorf("%w: a block does not end where it should", errContainer)

// bzip2Block is what lies between two marks: a block, or where one of the marks is none,
// a part of it.
type bzip2Block struct {
	level  byte
	room   []byte // where it is decoded
	mark   uint64 // in front of it
	packed []byte
	shift  uint // bits of packed that are in front of it
	bits   int  // bits of packed that end with it

	prev    *bzip2Block // nil for the first one of a stream
	next    *bzip2Block // known when scanned is closed; nil for the last one
	scanned chan struct{}

	done   chan struct{} // closed when what follows is known
	sum    uint32        // of the stream up to here
	err    error
	joined bool // it belongs to the block in front of it, which has decoded it
}

// tableBytes is how much memory is needed for each byte of a block.
const tableBytes = 4 + 4 + 1

// tables makes tables of memory, which is aligned.
func tables(b []byte) bunzip.Room {
	n := len(b) / tableBytes
	words := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), 2*n)
	return bunzip.Room{Forward: words[:n], Backward: words[n:], Bytes: b[8*n:]}
}

// decode fills p.
func (b *bzip2Block) decode(p *part) error {
	defer close(b.done)
	defer p.room.put(b.room)
	d := &bunzip.Decoder{Room: tables(b.room)}
	err := b.open(d, b.packed, int(b.shift), b.bits)
	if err != nil {
		err = b.join(d, err)
	}
	if err == nil && !b.joined {
		err = p.fill(d)
	}
	b.err, b.sum = err, b.checksum()
	if prev := b.prev; prev != nil {
		<-prev.done
		b.sum ^= bits.RotateLeft32(prev.sum, 1)
		if b.joined {
			b.sum = prev.sum
		}
	}
	b.prev = nil
	return b.err
}

// open decodes a block which is the bits of packed from one to another.
func (b *bzip2Block) open(d *bunzip.Decoder, packed []byte, from, to int) error {
	end, err := d.Open(packed[:(to+7)/8], from, int(b.level-'0'))
	switch {
	case errors.Is(err, bunzip.ErrShort), err == nil && end > to:
		return errBits // what follows was taken for its end, or it was cut in the file
	case err == nil && end < to:
		return errMark
	}
	return err
}

// join opens b again, after it could not be opened, with what follows it: its end may be
// none. The same may be true of the end in front of it.
func (b *bzip2Block) join(d *bunzip.Decoder, err error) error {
	if b.prev != nil {
		<-b.prev.done
		if b.joined {
			return nil
		}
	}
	<-b.scanned
	if b.next == nil {
		return err
	}
	var w bitWriter
	w.b = make([]byte, 0, len(b.packed)+len(b.next.packed)+markBits)
	w.add(b)
	w.put(b.next.mark, markBits)
	w.add(b.next)
	if again := b.open(d, w.b, 0, len(w.b)*8-int(w.free)); again != nil {
		return err
	}
	b.next.joined = true
	return nil
}

// fill reads a block.
func (p *part) fill(d *bunzip.Decoder) error {
	for n := 0; ; {
		if n == len(p.out) {
			p.again()
			n = 0
		}
		m, err := d.Read(p.out[n:min(len(p.out), n+pieceSize)])
		if n += m; m > 0 {
			p.publish(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// checksum is what a block begins with.
func (b *bzip2Block) checksum() uint32 {
	var head [5]byte
	copy(head[:], b.packed)
	return uint32(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, head[:]...)) >> (8 - b.shift))
}

// bitWriter puts bits together.
type bitWriter struct {
	b    []byte
	free uint // bits of the last byte that are not used
}

// put appends the lowest n bits of v.
func (w *bitWriter) put(v uint64, n uint) {
	for n > 0 {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		take := min(n, w.free)
		part := v >> (n - take) & (1<<take - 1)
		w.b[len(w.b)-1] |= byte(part << (w.free - take))
		n, w.free = n-take, w.free-take
	}
}

// add appends a block.
func (w *bitWriter) add(b *bzip2Block) {
	packed, n := b.packed, b.bits
	if b.shift > 0 {
		w.put(uint64(packed[0]), 8-b.shift)
		packed, n = packed[1:], n-8
	}
	for _, c := range packed[:n/8] {
		w.put(uint64(c), 8)
	}
	if rest := uint(n % 8); rest > 0 {
		w.put(uint64(packed[n/8]>>(8-rest)), rest)
	}
}
