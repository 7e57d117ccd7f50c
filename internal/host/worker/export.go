package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/format"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

var errDiskChanged = errors.New("the disk was changed while it was read")

// exportDump writes the disk j.From to the stream j.To, byte for byte. Holes
// are not read.
func exportDump(ctx context.Context, j Job) (Result, error) {
	before, err := j.From.Stat()
	if err != nil {
		return Result{}, reading(report.Bare(err))
	}
	disk, err := j.exported()
	if err != nil {
		return Result{}, reading(err)
	}
	if disk.Size() != j.DiskSize {
		return Result{}, reading(errDiskChanged)
	}
	out := newOutlet(disk, j.From)
	n, err := abandonable(ctx, func() (int64, error) { return pump(ctx, out.get, sender(j.To)) })
	if err != nil {
		return Result{}, err
	}
	after, err := j.From.Stat()
	if err != nil {
		return Result{}, reading(report.Bare(err))
	}
	if Touched(before, after) {
		return Result{}, reading(errDiskChanged)
	}
	return Result{ImageBytes: n, DataBytes: out.data, ZeroedBytes: n - out.data, Wiped: target.WipedNothing}, nil
}

// sender returns a put that writes to a stream, which nobody may be reading.
func sender(to io.Writer) func([]byte, int64) error {
	return func(p []byte, off int64) error {
		if _, err := to.Write(p); err != nil {
			return writing(fmt.Errorf("after %d bytes: %w", off, report.Bare(err)))
		}
		return nil
	}
}

// abandonable returns when do does or ctx ends: nothing else ends a write to a
// pipe that nobody reads.
func abandonable(ctx context.Context, do func() (int64, error)) (int64, error) {
	type outcome struct {
		n   int64
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		n, err := do()
		done <- outcome{n, err}
	}()
	select {
	case o := <-done:
		return o.n, o.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// outlet reads a disk from its start to its end.
type outlet struct {
	disk  format.Disk
	file  *os.File
	next  func() (span, error, bool)
	pos   int64
	ahead span // data at or after pos
	zeros []byte
	data  int64 // bytes read
}

func newOutlet(disk format.Disk, file *os.File) *outlet {
	o := &outlet{disk: disk, file: file, zeros: make([]byte, chunkSize)}
	o.next, _ = iter.Pull2(spans(disk)) // it ends with the disk, or with the process
	return o
}

// get returns the next chunk of data, or of zeros where there is none.
func (o *outlet) get(buf []byte) ([]byte, error) {
	if o.pos == o.disk.Size() {
		return nil, io.EOF
	}
	if o.ahead.end <= o.pos {
		if err := o.advance(); err != nil {
			return nil, reading(err)
		}
	}
	p := o.zeros[:min(chunkSize, o.ahead.start-o.pos)]
	if len(p) == 0 {
		p = buf[:o.ahead.len()]
		if err := o.read(p); err != nil {
			return nil, reading(report.Bare(err))
		}
	}
	o.pos += int64(len(p))
	return p, nil
}

// advance finds the next data; behind the last there is none up to the end.
func (o *outlet) advance() error {
	s, err, more := o.next()
	if !more {
		s = span{o.disk.Size(), o.disk.Size()}
	}
	o.ahead = s
	return err
}

// read reads at pos. The node's page cache has better uses than disks that are
// read once.
func (o *outlet) read(p []byte) error {
	if _, err := o.disk.ReadAt(p, o.pos); err != nil {
		return err
	}
	o.data += int64(len(p))
	_ = unix.Fadvise(int(o.file.Fd()), o.pos, int64(len(p)), unix.FADV_DONTNEED) // only kinder; a socket has none
	return nil
}
