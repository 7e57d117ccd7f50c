package parallel

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"snf-image/internal/host/bunzip"
)

// Marks of bzip2. Those of a block and of the end of a stream begin at any bit.
const (
	bzip2Magic = "BZh"
	blockMark  = 0x314159265359
	endMark    = 0x177245385090
	markBits   = 48
	markMask   = 1<<markBits - 1
	minBlock   = 32      // bits: its checksum
	maxBlock   = 4 << 20 // packed bytes: 900,000 symbols of 20 bits and their tables
	blockOut   = 2 << 20 // bytes that are unpacked at once: more than most blocks have
)

// bzip2File splits a bzip2 file at what looks like the mark of a block. Whether it is one
// shows when the block in front of it is decoded: it ends there then, and its checksum
// matches. A mark that is none, which one file in many thousands has, is found out so.
type bzip2File struct {
	*line
	in    *bufio.Reader
	level byte
	last  *bzip2Block // in front of the next one
}

// NewBzip2 returns what r holds, which is a bzip2 file of any number of streams.
func NewBzip2(r io.Reader) *Reader {
	return newReader(r, func(l *line) error { return (&bzip2File{line: l, in: bufio.NewReaderSize(r, 256<<10)}).split() })
}

var (
	errMark = fmt.Errorf("%w: something else than a block follows", errContainer)
	errLong = fmt.Errorf("%w: one is too long", errContainer)
)

// split feeds all streams.
func (f *bzip2File) split() error {
	defer func() {
		if f.last != nil {
			close(f.last.scanned) // there is none behind it
		}
	}()
	for first := true; ; first = false {
		var b [4]byte
		if _, err := io.ReadFull(f.in, b[:1]); errors.Is(err, io.EOF) && !first {
			return nil
		} else if err != nil {
			return early(err)
		}
		if _, err := io.ReadFull(f.in, b[1:]); err != nil {
			return early(err)
		}
		if string(b[:3]) != bzip2Magic || b[3] < '1' || b[3] > '9' {
			return errMark
		}
		f.level = b[3]
		if err := f.stream(); err != nil {
			return err
		}
	}
}

// stream feeds the blocks of a stream.
func (f *bzip2File) stream() error {
	s := scanner{in: f.in}
	mark, err := s.first()
	if err != nil {
		return err
	}
	for mark == blockMark {
		buf, err := f.room.get(maxBlock)
		if err != nil {
			return err
		}
		block := &bzip2Block{level: f.level, mark: mark, shift: s.shift, prev: f.last, scanned: make(chan struct{}), done: make(chan struct{})}
		n := 0
		n, block.bits, mark, err = s.next(buf)
		block.packed = buf[:n]
		if err == nil {
			err = f.begin(block, buf)
		} else {
			f.room.put(buf)
		}
		if err != nil {
			return err
		}
	}
	if mark != endMark {
		return errMark
	}
	return f.end(&s)
}

// begin has a block decoded.
func (f *bzip2File) begin(b *bzip2Block, buf []byte) error {
	if f.last != nil {
		f.last.next = b
		close(f.last.scanned)
	}
	f.last = b
	out, err := f.room.get(blockOut)
	if err == nil {
		b.room, err = f.room.get(int(b.level-'0') * bunzip.Size * tableBytes)
	}
	if err != nil {
		f.room.put(buf)
		f.room.put(out)
		return err
	}
	if !f.start(f.part(buf, out), b.decode) {
		return errAbandoned
	}
	return nil
}

// end feeds the check of a stream.
func (f *bzip2File) end(s *scanner) error {
	sum, err := s.sum()
	if err != nil {
		return err
	}
	last := f.last
	f.last = nil
	if last == nil { // a stream of nothing
		if sum != 0 {
			return fmt.Errorf("%w: a stream", errCheck)
		}
		return nil
	}
	close(last.scanned)
	if !f.start(f.part(nil, nil), func(*part) error {
		<-last.done
		if last.err == nil && last.sum != sum {
			return fmt.Errorf("%w: a stream", errCheck)
		}
		return nil // or the error was told
	}) {
		return errAbandoned
	}
	return nil
}

// scanner finds marks.
type scanner struct {
	in    *bufio.Reader
	shift uint   // bits of the last byte in front of what follows
	rest  byte   // that byte
	bits  uint64 // the last 64 bits
}

// first reads the mark behind the header of a stream.
func (s *scanner) first() (uint64, error) {
	var b [markBits / 8]byte
	if _, err := io.ReadFull(s.in, b[:]); err != nil {
		return 0, early(err)
	}
	return binary.BigEndian.Uint64(append([]byte{0, 0}, b[:]...)), nil
}

// next reads a block, behind its mark, up to the next mark, to buf. It returns how many
// bytes it took, where the first s.shift bits are not the block's, how many bits there are
// with these, and the mark.
func (s *scanner) next(buf []byte) (n, bits int, mark uint64, err error) {
	s.bits = 0
	if s.shift > 0 {
		buf[0], n = s.rest, 1
	}
	for {
		if n == len(buf) {
			return 0, 0, 0, errLong
		}
		b, err := s.in.ReadByte()
		if err != nil {
			return 0, 0, 0, early(err)
		}
		buf[n] = b
		n++
		s.bits = s.bits<<8 | uint64(b)
		if !maybe[byte(s.bits>>20)] || n*8 < markBits+minBlock {
			continue
		}
		for behind := range uint(8) { // bits of b that are behind the mark
			mark := s.bits >> behind & markMask
			if mark != blockMark && mark != endMark || n*8-int(behind) < markBits+minBlock+int(s.shift) {
				continue
			}
			if mark == endMark && !s.ends() {
				continue
			}
			bits = n*8 - int(behind) - markBits
			s.rest, s.shift = b, (8-behind)%8
			return n, bits, mark, nil
		}
	}
}

// maybe has the bytes that lie 20 bits in front of the end of a byte with a mark in it.
var maybe = func() (m [256]bool) {
	for behind := range 8 {
		for _, mark := range []uint64{blockMark, endMark} {
			m[byte(mark<<behind>>20)] = true
		}
	}
	return m
}()

// ends reports whether the mark of an end is followed by its checksum, which ends with the
// fourth byte, and then the end of the file or another stream. A file that is cut short
// there ends, too.
func (s *scanner) ends() bool {
	const sum = 4
	b, _ := s.in.Peek(sum + len(bzip2Magic))
	return len(b) <= sum || bytes.HasPrefix([]byte(bzip2Magic), b[sum:])
}

// sum reads the checksum of a stream, and what fills its last byte.
func (s *scanner) sum() (uint32, error) {
	var b [5]byte
	b[0] = s.rest
	if _, err := io.ReadFull(s.in, b[1:]); err != nil {
		return 0, early(err)
	}
	if s.shift == 0 {
		return binary.BigEndian.Uint32(b[1:]), nil
	}
	return uint32(binary.BigEndian.Uint64(append([]byte{0, 0, 0}, b[:]...)) >> (8 - s.shift)), nil
}
