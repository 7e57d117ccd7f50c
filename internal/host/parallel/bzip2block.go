package parallel

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

// bzip2Block is what lies between two marks: a block, or where one of the marks is none,
// a part of it.
type bzip2Block struct {
	level  byte
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

// decode fills p.
func (b *bzip2Block) decode(p *part) error {
	defer close(b.done)
	var w bitWriter
	w.start(b.level, len(b.packed))
	w.add(b)
	n, err := w.decode(p, b.checksum())
	if err != nil && n == 0 {
		err = b.join(p, &w, err)
	}
	b.err = err
	b.sum = b.checksum()
	if prev := b.prev; prev != nil {
		<-prev.done
		b.sum ^= bits.RotateLeft32(prev.sum, 1)
		if b.joined {
			b.sum, b.err = prev.sum, nil
		}
	}
	b.prev = nil
	return b.err
}

// join decodes b again, after it could not be, with what follows it: its end may be none.
// The same may be true of the end in front of it.
func (b *bzip2Block) join(p *part, w *bitWriter, err error) error {
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
	w.put(b.next.mark, markBits)
	w.add(b.next)
	if n, again := w.decode(p, b.checksum()); n > 0 || again == nil {
		b.next.joined = again == nil
		return again
	}
	return err
}

// checksum is what a block begins with.
func (b *bzip2Block) checksum() uint32 {
	var head [5]byte
	copy(head[:], b.packed)
	return uint32(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, head[:]...)) >> (8 - b.shift))
}

// bitWriter makes a stream of one block.
type bitWriter struct {
	b    []byte
	free uint // bits of the last byte that are not used
}

// start begins the stream with the mark of a block of about n bytes.
func (w *bitWriter) start(level byte, n int) {
	w.b = append(make([]byte, 0, n+64), bzip2Magic...)
	w.b = append(w.b, level)
	w.put(blockMark, markBits)
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
		w.b[len(w.b)-1] |= c >> (8 - w.free)
		w.b = append(w.b, c<<w.free)
	}
	if rest := uint(n % 8); rest > 0 {
		w.put(uint64(packed[n/8]>>(8-rest)), rest)
	}
}

// decode ends the stream, decodes it to p, and returns how much that is. The stream can be
// continued then.
func (w *bitWriter) decode(p *part, sum uint32) (total int, err error) {
	end := bitWriter{append(bytes.Clone(w.b), make([]byte, 0, 16)...), w.free}
	end.put(endMark, markBits)
	end.put(uint64(sum), 32)
	r := bzip2.NewReader(bytes.NewReader(end.b))
	n := 0
	for {
		if n == len(p.out) {
			p.again()
			n = 0
		}
		m, err := r.Read(p.out[n:min(len(p.out), n+pieceSize)])
		n, total = n+m, total+m
		if m > 0 {
			p.publish(n)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errContainer // its end was behind it
		}
		if err != nil {
			return total, err
		}
	}
}
