package parallel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"snf-image/internal/host/lzma"
)

// whole decodes a block that is in memory.
type whole struct {
	header   *blockHeader
	check    check
	flags    [2]byte // of the stream
	sum      []byte  // what the check has to be
	decoders *sync.Pool
}

// decode fills p.
func (w *whole) decode(p *part) error {
	if w.header.filtered {
		return w.filtered(p)
	}
	d, ok := w.decoders.Get().(*lzma.Decoder)
	if !ok {
		d = new(lzma.Decoder)
	}
	defer w.decoders.Put(d)
	d.Reset(w.header.dict)
	hash, in, pos := w.check.make(), bytes.NewReader(p.in), 0
	var buf [lzma.MaxPacked]byte
	for {
		c, packed, err := nextChunk(in, buf[:])
		if err != nil {
			return early(err)
		}
		if c.Size == 0 {
			break
		}
		if err := d.Decode(c, packed, p.out, pos); err != nil {
			return err
		}
		if pos += c.Size; w.header.addresses != nil {
			continue // what follows repeats it as it is
		}
		hash.Write(p.out[pos-c.Size : pos]) //nolint:errcheck // a hash.Hash has no errors
		p.publish(pos)
	}
	if filter := w.header.addresses; filter != nil {
		filter.turn(p.out[:pos], 0)
		hash.Write(p.out[:pos]) //nolint:errcheck // a hash.Hash has no errors
		p.publish(pos)
	}
	switch {
	case in.Len() > 0 || pos != len(p.out):
		return errLength
	case !bytes.Equal(hash.Sum(nil), w.sum):
		return fmt.Errorf("%w: a block", errCheck)
	}
	return nil
}

var errLength = fmt.Errorf("%w: one is longer or shorter than its header says", errContainer)

// filtered fills p with a library that knows all filters.
func (w *whole) filtered(p *part) error {
	r, err := w.header.library(w.flags, bytes.NewReader(p.in), func() (ending, error) {
		return ending{int64(len(p.in)), int64(len(p.out)), w.sum}, nil
	})
	for pos := 0; err == nil && pos < len(p.out); {
		var n int
		n, err = r.Read(p.out[pos:min(len(p.out), pos+lzma.MaxSize)])
		pos += n
		p.publish(pos)
		if errors.Is(err, io.EOF) && pos < len(p.out) {
			return errLength
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); n > 0 || err != nil {
		return errors.Join(errLength, err)
	}
	return nil
}

// nextChunk reads a chunk with its header. Its bytes are in buf.
func nextChunk(r io.Reader, buf []byte) (lzma.Chunk, []byte, error) {
	var b [lzma.HeaderSize]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return lzma.Chunk{}, nil, err
	}
	n, err := lzma.Length(b[0])
	if err != nil {
		return lzma.Chunk{}, nil, err
	}
	if _, err := io.ReadFull(r, b[1:n]); err != nil {
		return lzma.Chunk{}, nil, err
	}
	c := lzma.Parse(b[:n])
	_, err = io.ReadFull(r, buf[:c.Packed])
	return c, buf[:c.Packed], err
}
