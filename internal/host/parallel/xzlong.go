package parallel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/therootcompany/xz"

	"snf-image/internal/host/lzma"
)

// pieceSize is how much of a long block is handed on at once.
const pieceSize = lzma.MaxSize

// pieces hands on what is decoded in order.
type pieces struct {
	line *line
	part *part
	n    int
}

// Write copies b to parts, and hands on those that are full.
func (p *pieces) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 {
		if p.part == nil {
			out, err := p.line.room.get(pieceSize)
			if err != nil {
				return 0, err
			}
			p.part, p.n = p.line.part(nil, out), 0
		}
		n := copy(p.part.out[p.n:], b)
		b, p.n = b[n:], p.n+n
		if p.n == pieceSize {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// flush hands on the rest.
func (p *pieces) flush() error {
	last := p.part
	if last == nil {
		return nil
	}
	p.part = nil
	last.publish(p.n)
	last.finish(nil)
	if !p.line.add(last) {
		last.release()
		return errAbandoned
	}
	return nil
}

// long decodes a block that is too long to have beside others, or does not say how long
// it is.
func (x *xzFile) long(h *blockHeader) error {
	out := &pieces{line: x.line}
	decode := x.window
	if h.filtered {
		decode = x.longFiltered
	}
	if err := decode(h, out); err != nil {
		_ = out.flush() // err is the reason
		return err
	}
	return out.flush()
}

// Sizes of what is decoded at once, beside the dictionary.
const (
	minStep = 2 * lzma.MaxSize
	maxStep = 16 << 20
)

// window decodes a block in a buffer of its dictionary and something more.
func (x *xzFile) window(h *blockHeader, out io.Writer) error {
	keep := (h.dict + 15) &^ 15 // the decoder looks at the lowest bits of positions
	buf, err := x.room.get(keep + min(max(keep, minStep), maxStep))
	if err != nil {
		return err
	}
	defer x.room.put(buf)
	d := new(lzma.Decoder)
	d.Reset(h.dict)
	to, packed := &turned{filter: h.addresses, to: out, sum: x.check.make()}, make([]byte, lzma.MaxPacked)
	start, pos, size := x.read, 0, int64(0)
	for {
		c, b, err := nextChunk(byteFiller{x}, packed)
		if err != nil || c.Size == 0 {
			if err == nil {
				err = errors.Join(to.end(), x.proven(h, x.read-start, size, to.sum))
			}
			return err
		}
		if pos+c.Size > len(buf) {
			gone := (pos - keep) &^ 15
			copy(buf, buf[gone:pos])
			d.Slide(gone)
			pos -= gone
		}
		if err := d.Decode(c, b, buf, pos); err != nil {
			return err
		}
		if _, err := to.Write(buf[pos : pos+c.Size]); err != nil {
			return err
		}
		pos, size = pos+c.Size, size+int64(c.Size)
	}
}

// proven reads the end of a block and compares its check.
func (x *xzFile) proven(h *blockHeader, packed, size int64, sum hash.Hash) error {
	want, err := x.end(h, packed, size)
	if err == nil && !bytes.Equal(sum.Sum(nil), want) {
		err = fmt.Errorf("%w: a block", errCheck)
	}
	return err
}

// longFiltered decodes a block with a library that knows all filters.
func (x *xzFile) longFiltered(h *blockHeader, out io.Writer) error {
	data := &chunks{from: byteFiller{x}, buf: make([]byte, lzma.MaxPacked)}
	start := x.read
	r, err := h.library(x.flags, data, func() (ending, error) {
		packed := x.read - start
		sum, err := x.end(h, packed, data.size)
		return ending{packed, data.size, sum}, err
	})
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return err
}

// chunks are the bytes of a block, up to its end.
type chunks struct {
	from io.Reader
	size int64 // that they decode to
	buf  []byte
	rest []byte
	end  bool
}

// Read reads.
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 && c.end {
		return 0, io.EOF
	}
	if len(c.rest) == 0 {
		var all bytes.Buffer
		chunk, _, err := nextChunk(io.TeeReader(c.from, &all), c.buf)
		if err != nil {
			return 0, err
		}
		c.size, c.end, c.rest = c.size+int64(chunk.Size), chunk.Size == 0, all.Bytes()
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// ending is what is known at the end of a block.
type ending struct {
	packed, size int64
	sum          []byte
}

// library opens a block of a stream with these flags as a file of its own, with a library
// that knows all filters. end is called at the end of data.
func (h *blockHeader) library(flags [2]byte, data io.Reader, end func() (ending, error)) (io.Reader, error) {
	head := append([]byte(xzMagic), flags[:]...)
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(flags[:]))
	tail := &tail{make: func() ([]byte, error) {
		e, err := end()
		return e.file(h, flags), err
	}}
	r, err := xz.NewReader(io.MultiReader(bytes.NewReader(append(head, h.raw...)), data, tail), uint32(h.dict))
	return libraryReader{r}, own(err)
}

// libraryReader has the errors of this package.
type libraryReader struct{ *xz.Reader }

// Read reads.
func (r libraryReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	return n, own(err)
}

func own(err error) error {
	switch {
	case errors.Is(err, xz.ErrBuf):
		return io.ErrUnexpectedEOF
	case errors.Is(err, xz.ErrOptions), errors.Is(err, xz.ErrUnsupportedCheck):
		return fmt.Errorf("%w: by a filter", ErrUnknown)
	}
	return err
}

// file returns what ends the file of one block.
func (e ending) file(h *blockHeader, flags [2]byte) []byte {
	b := append(make([]byte, -e.packed&3), e.sum...)
	index := []byte{indexStart, 1}
	index = binary.AppendUvarint(index, uint64(int64(len(h.raw))+e.packed+int64(len(e.sum))))
	index = binary.AppendUvarint(index, uint64(e.size))
	index = append(index, make([]byte, -len(index)&3)...)
	le := binary.LittleEndian
	index = le.AppendUint32(index, crc32.ChecksumIEEE(index))
	footer := append(le.AppendUint32(nil, uint32(len(index)/4-1)), flags[:]...)
	b = le.AppendUint32(append(b, index...), crc32.ChecksumIEEE(footer))
	return append(append(b, footer...), xzEnd...)
}

// tail reads what is made when it is needed.
type tail struct {
	make func() ([]byte, error)
	from *bytes.Reader
}

// Read reads.
func (t *tail) Read(p []byte) (int, error) {
	if t.from == nil {
		b, err := t.make()
		if err != nil {
			return 0, err
		}
		t.from = bytes.NewReader(b)
	}
	return t.from.Read(p)
}
