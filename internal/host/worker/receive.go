package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"snf-image/internal/host/format"
	"snf-image/internal/report"
)

// errTooLong is the error of a stream that goes on where its disk ends.
var errTooLong = errors.New("the disk is too small")

// importDump writes the raw dump that the stream j.From delivers to the disk. It may be
// shorter than the disk; what is behind it is wiped as j says. The ends of the disk are
// zero from before the first byte is read.
func importDump(ctx context.Context, j Job, out *speaker) (Result, error) {
	start := time.Now()
	w, err := j.writer()
	if err != nil {
		return Result{}, writing(err)
	}
	if err := w.BlankEnds(); err != nil {
		return Result{}, writing(err)
	}
	c := &copier{disk: w}
	stop := out.watch(c.progress, cmp.Or(j.Interval, interval))
	n, _, err := c.pour(ctx, format.Dump(j.From), j)
	stop()
	if err != nil {
		return Result{}, err
	}
	r, err := finish(ctx, w, j, n, "")
	r.Seconds = time.Since(start).Seconds()
	return r, err
}

// pour writes what a stream of the bytes of a disk delivers, and returns its length and,
// of an image, the digest. Only its end tells how long a stream is; whether that was all
// the sender had is for the host to know.
func (c *copier) pour(ctx context.Context, from io.Reader, j Job) (n int64, sum string, err error) {
	in := &intake{from: from, room: j.DiskSize, what: "dump"}
	if j.Action == Deploy {
		in.what = "image"
	}
	d := newDigest()
	n, err = pump(ctx, in.get, func(p []byte, off int64) error {
		if j.Action == Deploy {
			for _, b := range hashBlocks(nil, off, p) {
				d.add(b.off, b.sum)
			}
		}
		for r := range runs(p) {
			if err := c.put(ctx, r, off); err != nil {
				return writing(err)
			}
		}
		c.done.Add(int64(len(p)))
		return nil
	})
	if err == nil {
		err = complete(j, n)
	}
	if err != nil || j.Action != Deploy {
		return n, "", err
	}
	return n, d.sum(n), nil
}

// complete refuses a stream of n bytes that shows that there was more to come.
func complete(j Job, n int64) error {
	head := make([]byte, tableBytes)
	if _, err := j.Head.ReadAt(head, 0); err != nil {
		return fmt.Errorf("reading the head of the disk kept in memory: %w", report.Bare(err))
	}
	return whole(head, n, j.DiskSize, j.Action == Import)
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
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case n > 0 && rest == 0:
		return nil, writing(fmt.Errorf("%w: it has %d bytes and the %s goes on", errTooLong, in.room, in.what))
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, reading(report.Bare(err))
	}
	return p[:n], nil
}
