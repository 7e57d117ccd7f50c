package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"snf-image/internal/host/blockmap"
	"snf-image/internal/host/inflate"
)

// Extents walks the tables. Neighbours of a kind are one extent.
func (q *qcow2) Extents() iter.Seq2[Extent, error] { return blockmap.Joined(q.runs()) }

// runs yields ranges of the disk in order: of a cluster or a part of one, or of a whole
// table where there is none.
func (q *qcow2) runs() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		h := &q.header
		span := h.cluster() * h.perTable()
		for pos := int64(0); pos < h.size; {
			if q.l1[pos/span] == 0 {
				n := min(span, h.size-pos)
				if !yield(Extent{Offset: pos, Length: n, Zero: true}, nil) {
					return
				}
				pos += n
				continue
			}
			c, err := q.lookup(pos / h.cluster())
			if err != nil {
				yield(Extent{}, err)
				return
			}
			n := min(h.cluster(), h.size-pos)
			for e := range c.runs(pos, n, h.cluster()/subclusters) {
				if !yield(e, nil) {
					return
				}
			}
			pos += n
		}
	}
}

// runs yields the ranges of the n bytes that the cluster at off has, in subclusters of
// sub bytes.
func (c cluster) runs(off, n, sub int64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		if c.data == 0 || c.data == allData {
			yield(Extent{Offset: off, Length: n, Zero: c.data == 0})
			return
		}
		for pos := int64(0); pos < n; {
			zero := c.data>>(pos/sub)&1 == 0
			end := pos
			for end < n && (c.data>>(end/sub)&1 == 0) == zero {
				end += sub
			}
			end = min(end, n)
			if !yield(Extent{Offset: off + pos, Length: end - pos, Zero: zero}) {
				return
			}
			pos = end
		}
	}
}

// ReadAt reads from the disk.
func (q *qcow2) ReadAt(p []byte, off int64) (int, error) {
	h := &q.header
	if off < 0 || off > h.size-int64(len(p)) {
		return 0, fmt.Errorf("reading %d bytes at %d: %w", len(p), off, ErrTruncated)
	}
	for done := 0; done < len(p); {
		pos := off + int64(done)
		in := pos % h.cluster()
		part := p[done:min(len(p), done+int(h.cluster()-in))]
		c, err := q.lookup(pos / h.cluster())
		if err == nil {
			err = q.readCluster(part, c, in)
		}
		if err != nil {
			return done, err
		}
		done += len(part)
	}
	return len(p), nil
}

// readCluster reads from the cluster c, beginning with its byte in.
func (q *qcow2) readCluster(p []byte, c cluster, in int64) error {
	if c.packed {
		return q.unpack(p, c, in)
	}
	for e := range c.runs(0, q.header.cluster(), q.header.cluster()/subclusters) {
		from, to := max(e.Offset, in), min(e.Offset+e.Length, in+int64(len(p)))
		if from >= to {
			continue
		}
		part := p[from-in : to-in]
		if e.Zero {
			clear(part)
		} else if err := q.read(part, c.at+from); err != nil {
			return err
		}
	}
	return nil
}

// unpack decompresses c.
func (q *qcow2) unpack(p []byte, c cluster, in int64) error {
	u, err := q.unpackers.get(q.header.zstd)
	if err != nil {
		return err
	}
	defer q.unpackers.pool.Put(u)
	u.packed = slices.Grow(u.packed[:0], int(c.length))[:min(c.length, q.fileSize-c.at)]
	if err := q.read(u.packed, c.at); err != nil {
		return err
	}
	whole := p
	if in != 0 || int64(len(p)) != q.header.cluster() {
		whole = make([]byte, min(q.header.cluster(), in+int64(len(p))))
	}
	if err := u.unpack(whole); err != nil {
		return fmt.Errorf("%w: the compressed cluster at %#x: %w", ErrDamaged, c.at, err)
	}
	copy(p, whole[in:])
	return nil
}

// unpackers are decompressors that can be used again, one for each reader at a time.
type unpackers struct{ pool sync.Pool }

// unpacker decompresses a cluster.
type unpacker struct {
	packed  []byte // the cluster, with what is behind it up to the end of a sector
	zstd    *zstd.Decoder
	deflate inflate.Decoder
}

func (s *unpackers) get(byZstd bool) (*unpacker, error) {
	if u, ok := s.pool.Get().(*unpacker); ok {
		return u, nil
	}
	u := new(unpacker)
	if !byZstd {
		return u, nil
	}
	var err error
	u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	return u, err
}

// unpack fills p from the beginning of what packed holds. Behind it there may be
// anything.
func (u *unpacker) unpack(p []byte) error {
	if u.zstd == nil {
		return u.deflate.Decode(p, u.packed)
	}
	if err := u.zstd.Reset(bytes.NewReader(u.packed)); err != nil {
		return err
	}
	_, err := io.ReadFull(u.zstd, p)
	return unexpected(err)
}

// unexpected makes an end one that comes too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
