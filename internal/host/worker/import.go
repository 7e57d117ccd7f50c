package worker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"snf-image/internal/host/target"
)

// Refusals of a dump.
var (
	errEmpty   = errors.New("it is empty")
	errTooLong = errors.New("the disk is too small")
)

// importDump writes the raw dump that the stream j.Image delivers to the disk.
// The dump may be shorter than the disk; what is behind it is wiped as j says.
// The ends of the disk are zero from before the first byte is read.
func importDump(ctx context.Context, j Job) (Result, error) {
	w, err := target.NewWriter(j.Disk, j.Head, j.Tail, j.DiskSize)
	if err != nil {
		return Result{}, diskError(err)
	}
	if err := w.BlankEnds(); err != nil {
		return Result{}, diskError(err)
	}
	c := &copier{disk: w}
	in := &intake{from: j.Image, room: j.DiskSize}
	n, err := pump(ctx, in.get, func(p []byte, off int64) error {
		for r := range runs(p) {
			if err := c.put(ctx, r, off); err != nil {
				return diskError(err)
			}
		}
		return nil
	})
	if err != nil {
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
		Wiped: wiped, WipedBytes: behind, Direct: w.Direct(),
	}, nil
}

// intake reads a stream that must end before its room does.
type intake struct {
	from  io.Reader
	taken int64
	room  int64
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
		return nil, &blame{true, fmt.Errorf("%w: it has %d bytes and the dump goes on", errTooLong, in.room)}
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &blame{false, bare(err)}
	}
	return p[:n], nil
}
