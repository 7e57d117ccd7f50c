package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"snf-image/internal/host/foreign"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// Refusals of a stream.
var (
	errEmpty   = errors.New("it is empty")
	errOdd     = errors.New("it is no whole number of 512-byte sectors")
	errTooLong = errors.New("the disk is too small")
)

// receive writes the raw dump or image that the stream j.Image delivers to the
// disk. It may be shorter than the disk; what is behind it is wiped as j says.
// The ends of the disk are zero from before the first byte is read. Only its end
// tells how long a stream is; whether that was all the sender had is for the host
// to know.
func receive(ctx context.Context, j Job, out *speaker) (Result, error) {
	start := time.Now()
	w, err := j.writer()
	if err != nil {
		return Result{}, diskError(err)
	}
	if err := w.BlankEnds(); err != nil {
		return Result{}, diskError(err)
	}
	c := &copier{disk: w}
	c.total.Store(j.ImageSize)
	stop := out.watch(c, cmp.Or(j.Interval, interval))
	n, sum, err := c.drain(ctx, j)
	stop()
	if err != nil {
		return Result{}, err
	}
	if err := complete(j, n); err != nil {
		return Result{}, err
	}
	wiped, behind, err := w.Wipe(ctx, n, j.Wipe)
	if err != nil {
		return Result{}, diskError(err)
	}
	if err := w.Flush(); err != nil {
		return Result{}, diskError(err)
	}
	return Result{
		ImageBytes: n, DataBytes: w.DataBytes(), ZeroedBytes: n - w.DataBytes(), Zeroing: w.Zeroing(),
		Wiped: wiped, WipedBytes: behind, Direct: w.Direct(), Digest: sum, Seconds: time.Since(start).Seconds(),
	}, nil
}

// complete refuses a stream of n bytes that shows that there was more to come.
func complete(j Job, n int64) error {
	if n%target.Sector != 0 {
		return &blame{false, fmt.Errorf("%w: %d bytes came", errOdd, n)}
	}
	head := make([]byte, tableBytes)
	if _, err := j.Head.ReadAt(head, 0); err != nil {
		return fmt.Errorf("reading the head of the disk kept in memory: %w", report.Bare(err))
	}
	return whole(head, n, j.DiskSize, j.Action == Import)
}

// drain writes what the stream delivers and returns its length and, of an image,
// the digest.
func (c *copier) drain(ctx context.Context, j Job) (n int64, sum string, err error) {
	image := j.Action == Deploy
	in := &intake{from: j.Image, room: j.DiskSize, what: "dump"}
	if image {
		in.what = "image"
	}
	d := newDigest()
	n, err = pump(ctx, in.get, func(p []byte, off int64) error {
		if image {
			if foreign := foreign.Recognize(p); off == 0 && foreign != nil {
				return imageError(foreign)
			}
			for _, b := range hashBlocks(nil, off, p) {
				d.add(b.off, b.sum)
			}
		}
		for r := range runs(p) {
			if err := c.put(ctx, r, off); err != nil {
				return diskError(err)
			}
		}
		c.done.Add(int64(len(p)))
		return nil
	})
	if err != nil || !image {
		return n, "", err
	}
	return n, d.sum(n), nil
}

// intake reads a stream that must end before its room does.
type intake struct {
	from  io.Reader
	taken int64
	room  int64
	what  string // it is, for errors
}

// get fills buf. A byte too many is an error before anything of it is written.
func (in *intake) get(buf []byte) ([]byte, error) {
	rest := in.room - in.taken
	p := buf[:max(1, min(rest, int64(len(buf))))]
	n, err := io.ReadFull(in.from, p)
	in.taken += int64(n)
	switch {
	case errors.Is(err, io.EOF) && in.taken == 0:
		return nil, &blame{false, errEmpty}
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case n > 0 && rest == 0:
		return nil, &blame{true, fmt.Errorf("%w: it has %d bytes and the %s goes on", errTooLong, in.room, in.what)}
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &blame{false, report.Bare(err)}
	}
	return p[:n], nil
}
