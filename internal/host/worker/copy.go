package worker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/zeebo/blake3"

	"snf-image/internal/host/format"
	"snf-image/internal/host/target"
)

// lanes is how many chunks are in work at once. Each lane reads, hashes and
// writes by turns, so that with several of them all three go on all the time;
// memory is bounded by one chunk a lane.
const lanes = 6

// zeroRun is the length from which zeros found in data are made zero instead
// of written. Shorter ones cost less to write.
const zeroRun = 1 << 20

// copier writes one disk from one image.
type copier struct {
	image format.Disk // nil for a stream
	plain *os.File    // that holds the image as it is, nil for none
	disk  *target.Writer
	done  atomic.Int64 // bytes of data
	total atomic.Int64
	// taken is how many of the stored bytes were read, of an image of which only the end
	// tells how large its disk is; stored is how many there are, 0 for an unknown number.
	taken  *atomic.Int64
	stored int64
}

// progress returns how far it is.
func (c *copier) progress() Progress {
	if c.stored > 0 {
		return Progress{Position: c.taken.Load(), Total: c.stored}
	}
	return Progress{Position: c.done.Load(), Total: c.total.Load()}
}

// block is one block of the digest.
type block struct {
	off int64
	sum [digestSize]byte
}

// chunk is a piece on its way through a lane.
type chunk struct {
	piece
	blocks chan []block // gets one value
}

// run writes the whole image and returns its digest.
func (c *copier) run(ctx context.Context) (string, error) {
	if err := c.measure(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan chunk)
	inOrder := make(chan chunk, 2*lanes)
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() { c.lane(ctx, cancel, todo) })
	}
	wg.Go(func() {
		defer close(todo)
		defer close(inOrder)
		if err := c.feed(ctx, todo, inOrder); err != nil {
			cancel(err)
		}
	})
	sum := c.collect(ctx, inOrder)
	wg.Wait()
	return sum, context.Cause(ctx)
}

// measure sums up the data for the progress.
func (c *copier) measure() error {
	total := int64(0)
	for s, err := range spans(c.image) {
		if err != nil {
			return reading(err)
		}
		total += s.len()
	}
	c.total.Store(total)
	return nil
}

// feed zeroes the gaps of each window and hands its pieces out.
func (c *copier) feed(ctx context.Context, todo, inOrder chan<- chunk) error {
	for w, err := range windows(c.image) {
		if err != nil {
			return reading(err)
		}
		if err := c.zero(ctx, w); err != nil {
			return writing(err)
		}
		for p := range w.pieces() {
			next := chunk{p, make(chan []block, 1)}
			for _, to := range []chan<- chunk{inOrder, todo} {
				select {
				case to <- next:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
	}
	return nil
}

// zero makes the gaps of w zero, at best in a few steps that reach over data,
// which is not written yet; but only where that costs no writing.
func (c *copier) zero(ctx context.Context, w window) error {
	done := w.start
	for a := range w.areas() {
		err := c.disk.Punch(ctx, a.start, a.len())
		if errors.Is(err, target.ErrCostly) {
			break
		}
		if err != nil {
			return err
		}
		done = a.end
	}
	for g := range w.gaps() {
		if g.start < done {
			continue
		}
		if err := c.disk.Zero(ctx, g.start, g.len()); err != nil {
			return err
		}
	}
	return nil
}

// collect digests the blocks in the order of the disk.
func (c *copier) collect(ctx context.Context, inOrder <-chan chunk) string {
	d := newDigest()
	for t := range inOrder {
		select {
		case blocks := <-t.blocks:
			for _, b := range blocks {
				d.add(b.off, b.sum)
			}
		case <-ctx.Done():
		}
	}
	return d.sum(c.image.Size())
}

// lane works on pieces until there are none or something failed.
func (c *copier) lane(ctx context.Context, cancel context.CancelCauseFunc, todo <-chan chunk) {
	buf, err := target.Buffer(chunkSize)
	if err != nil {
		cancel(err)
		return
	}
	for t := range todo {
		blocks, err := c.piece(ctx, t.piece, buf)
		if err != nil {
			cancel(err)
			return
		}
		t.blocks <- blocks
	}
}

// piece copies the data of one chunk through buf.
func (c *copier) piece(ctx context.Context, p piece, buf []byte) ([]block, error) {
	var blocks []block
	for _, s := range p.data {
		b := buf[:s.len()]
		if _, err := c.image.ReadAt(b, s.start); err != nil {
			return nil, reading(err)
		}
		blocks = hashBlocks(blocks, s.start, b)
		for r := range runs(b) {
			if err := c.put(ctx, r, s.start); err != nil {
				return nil, writing(err)
			}
		}
		c.done.Add(s.len())
	}
	return blocks, nil
}

// put writes a run, or makes it zero where that is all it is.
func (c *copier) put(ctx context.Context, r run, base int64) error {
	off := base + int64(r.off)
	if r.zero {
		return c.disk.Zero(ctx, off, int64(len(r.data)))
	}
	_, err := c.disk.WriteFrom(c.plain, r.data, off)
	return err
}

// hashBlocks appends the hashes of the blocks of buf that are not all zero.
func hashBlocks(blocks []block, off int64, buf []byte) []block {
	for i := 0; i < len(buf); i += unit {
		b := buf[i:min(i+unit, len(buf))]
		if !isZero(b) {
			blocks = append(blocks, block{off + int64(i), blake3.Sum256(b)})
		}
	}
	return blocks
}

// run is a part of a buffer that is written, or made zero, in one go.
type run struct {
	off  int
	data []byte
	zero bool
}

// runs splits buf, which begins at a unit, into data and long runs of zeros.
func runs(buf []byte) func(yield func(run) bool) {
	return func(yield func(run) bool) {
		for pos := 0; pos < len(buf); {
			n := zerosAt(buf[pos:])
			zero := n >= min(zeroRun, len(buf))
			if !zero {
				n = dataAt(buf[pos:], n)
			}
			if !yield(run{pos, buf[pos : pos+n], zero}) {
				return
			}
			pos += n
		}
	}
}

// zerosAt returns how many bytes of whole units at the start of b are zero.
func zerosAt(b []byte) int {
	n := 0
	for n < len(b) && isZero(b[n:min(n+unit, len(b))]) {
		n = min(n+unit, len(b))
	}
	return n
}

// dataAt returns how far b reaches before the next long run of zeros; the
// first n bytes are known.
func dataAt(b []byte, n int) int {
	for n < len(b) {
		n = min(n+unit, len(b))
		if z := zerosAt(b[n:]); z >= zeroRun {
			return n
		} else if n+z < len(b) {
			n += z
		} else {
			return len(b)
		}
	}
	return n
}

// isZero compares b with itself one word on, which the runtime does with
// vector instructions and ends at the first difference.
func isZero(b []byte) bool {
	const word = 16
	if len(b) < word {
		return len(bytes.TrimLeft(b, "\x00")) == 0
	}
	return bytes.Equal(b[:word], make([]byte, word)) && bytes.Equal(b[word:], b[:len(b)-word])
}

// fault marks an error as that of an end of the work.
type fault struct {
	at  side
	err error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func reading(err error) error { return &fault{fromSide, err} }
func writing(err error) error { return &fault{toSide, err} }
