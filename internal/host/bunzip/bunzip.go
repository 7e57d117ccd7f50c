// Package bunzip decodes blocks of bzip2 that were found in its streams.
//
// It exists for its speed. The standard library reads bit by bit from a stream, and takes
// nearly twice the time of the tools; here a block is in memory, and several are decoded at
// once by package parallel.
package bunzip

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
)

// Errors of blocks.
var (
	ErrData       = errors.New("its bzip2 data is damaged")
	ErrShort      = errors.New("its bzip2 data ends too early")
	ErrCheck      = errors.New("its checksum does not match")
	ErrRandomized = errors.New("it is randomized, which no bzip2 does since 1998")
)

// Size is how many bytes a block of level 1 has at most; of level 9 it is nine times as many.
const Size = 100_000

// Room is where a block is decoded: of each as much as bytes can be in it.
type Room struct {
	Forward, Backward []uint32
	Bytes             []byte
}

// Decoder decodes one block after the other. Only Room has to be set.
type Decoder struct {
	Room Room

	in      source
	used    [256]byte // bytes of the block that there are, in order
	codes   [maxCodes]code
	choice  [maxChoices]byte // which code is for each group of symbols
	choices int
	count   [256]uint32 // of each byte

	sum  uint32 // that it should have
	got  uint32 // that of what came out, with its bits in the other order
	rest []byte // of Bytes
	last int    // the last byte that came out, -1 where it does not count
	run  int    // how often it came out in a row
	more int    // how often it is to come out yet
}

// Open decodes a block of a stream of a level, which begins, behind its mark, at a bit of
// src. It returns the bit behind its end.
func (d *Decoder) Open(src []byte, bit, level int) (end int, err error) {
	d.in = source{b: src, pos: bit / 8}
	d.in.bits(uint(bit % 8))
	d.rest, d.last, d.run, d.more, d.got = nil, -1, 0, 0, 0
	err = d.block(level * Size)
	if d.in.short() {
		err = ErrShort // whatever zeros made of it
	}
	end = d.in.bit()
	d.in.b = nil
	return end, err
}

// block decodes a block of at most this many bytes.
func (d *Decoder) block(most int) error {
	d.sum = uint32(d.in.bits(32))
	if d.in.bits(1) == 1 {
		return ErrRandomized
	}
	first := int(d.in.bits(24))
	symbols, err := d.header()
	if err != nil {
		return err
	}
	n, err := d.sorted(d.Room.Forward[:most], symbols)
	if err != nil {
		return err
	}
	if first >= n {
		return ErrData
	}
	d.order(n, uint32(first))
	d.rest = d.Room.Bytes[:n]
	return nil
}

// order brings the bytes of the block to their order. Each one leads to the next, anywhere
// in a table that is larger than the caches of a processor, so that finding it takes the most
// time of all. Two ways at once, from the beginning and from the end, take half of it.
func (d *Decoder) order(n int, first uint32) {
	forward, backward, out := d.Room.Forward[:n], d.Room.Backward[:n], d.Room.Bytes[:n]
	sum := uint32(0)
	for i, c := range d.count {
		d.count[i], sum = sum, sum+c
	}
	for i, e := range forward {
		b := byte(e)
		to := d.count[b]
		d.count[b]++
		forward[to] |= uint32(i) << 8
		backward[i] = to<<8 | uint32(b)
	}
	left, right := forward[first]>>8, first
	for i, j := 0, n-1; i <= j; i, j = i+1, j-1 {
		e, f := forward[left], backward[right]
		out[i], left = byte(e), e>>8
		out[j], right = byte(f), f>>8
	}
}

// Read fills p with what the block holds. Its end is io.EOF when its checksum matches.
func (d *Decoder) Read(p []byte) (int, error) {
	n := d.unfold(p)
	d.got = checksum(d.got, p[:n])
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case d.sum != bits.Reverse32(d.got):
		return 0, ErrCheck
	}
	return 0, io.EOF
}

// repeated is how many equal bytes a number follows, of how many more there are.
const repeated = 4

// unfold repeats bytes.
func (d *Decoder) unfold(p []byte) (n int) {
	for n < len(p) {
		switch {
		case d.more > 0:
			k := min(d.more, len(p)-n)
			fill(p[n:n+k], byte(d.last))
			n, d.more = n+k, d.more-k
		case d.run == repeated && len(d.rest) > 0:
			d.more, d.run = int(d.rest[0]), 0
			d.rest = d.rest[1:]
		case len(d.rest) == 0:
			return n
		default:
			if d.run == 0 {
				d.last = -1
			}
			k := d.plain(p[n:])
			n, d.rest = n+k, d.rest[k:]
		}
	}
	return n
}

// plain copies up to the fourth of equal bytes.
func (d *Decoder) plain(p []byte) int {
	last, run := d.last, d.run
	defer func() { d.last, d.run = last, run }()
	for i, b := range d.rest[:min(len(d.rest), len(p))] {
		p[i] = b
		if int(b) != last {
			last, run = int(b), 0
		}
		if run++; run == repeated {
			return i + 1
		}
	}
	return min(len(d.rest), len(p))
}

// fill sets all of b.
func fill(b []byte, to byte) {
	if to == 0 { // which is most of a disk
		clear(b)
		return
	}
	b[0] = to
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// checksum adds p to the checksum of a block. It is that of the standard library, of bytes
// and with a result that have their bits in the other order.
func checksum(sum uint32, p []byte) uint32 {
	var turned [512]byte
	for len(p) > 0 {
		n := min(len(p), len(turned))
		turn(turned[:n], p)
		sum, p = crc32.Update(sum, crc32.IEEETable, turned[:n]), p[n:]
	}
	return sum
}

// turn reverses the bits of each byte.
func turn(to, from []byte) {
	for ; len(to) >= 8; to, from = to[8:], from[8:] {
		binary.BigEndian.PutUint64(to, bits.Reverse64(binary.LittleEndian.Uint64(from)))
	}
	for i := range to {
		to[i] = bits.Reverse8(from[i])
	}
}
