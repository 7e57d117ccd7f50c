package target

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"snf-image/internal/host/nbd"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Align is the alignment of buffers, offsets and lengths with which writes pass
// the page cache by. It suits every sector size in use.
const Align = 4096

// Writer writes the body of a disk. Its first and last spec.EndSize bytes are
// apart: what belongs there goes to the files head and tail, so that the disk
// cannot boot before Commit. It is safe for concurrent use up to Flush.
type Writer struct {
	disk       medium
	head, tail *os.File
	size       int64
	direct     bool
	zeroer     zeroer
	cloner     cloner
	data       atomic.Int64

	mu   sync.Mutex
	late []piece // what cannot be written directly: at most some sectors
}

// piece is some bytes that go to one place.
type piece struct {
	at   int64
	data []byte
}

// NewWriter returns a Writer on a disk of size bytes. head and tail hold
// spec.EndSize bytes each. Nothing is written yet.
func NewWriter(disk, head, tail *os.File, size int64) (*Writer, error) {
	st, err := disk.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the disk: %w", err)
	}
	on := local{disk, isDevice(st)}
	w, err := writerOn(on, head, tail, size)
	if err != nil {
		return nil, err
	}
	w.direct = on.setDirect(!on.device || sectorOf(disk) <= Align)
	if w.direct && !on.device {
		w.disk = newParallel(on)
	}
	if !on.device {
		w.cloner.to = disk
	}
	return w, nil
}

// NewRemoteWriter is NewWriter for a disk behind an NBD server.
func NewRemoteWriter(disk *nbd.Client, head, tail *os.File, size int64) (*Writer, error) {
	if have := disk.Export().Size; have != size {
		return nil, fmt.Errorf("a disk of %d bytes has %d", size, have)
	}
	return writerOn(remote{disk}, head, tail, size)
}

func writerOn(disk medium, head, tail *os.File, size int64) (*Writer, error) {
	if size < MinSize {
		return nil, fmt.Errorf("a disk of %d bytes is too small", size)
	}
	return &Writer{disk: disk, head: head, tail: tail, size: size}, nil
}

// Direct reports whether writes pass the page cache by.
func (w *Writer) Direct() bool { return w.direct }

// DataBytes returns how many bytes WriteAt has written, the ends included.
func (w *Writer) DataBytes() int64 { return w.data.Load() }

// BlankEnds makes both ends zero, on the disk and apart, and flushes: from here
// on the disk does not boot.
func (w *Writer) BlankEnds() error {
	zeros := aligned(spec.EndSize)
	for _, end := range []*os.File{w.head, w.tail} {
		if _, err := end.WriteAt(zeros, 0); err != nil {
			return fmt.Errorf("zeroing an end kept apart: %w", report.Bare(err))
		}
	}
	if err := blankEnds(w.disk, w.size); err != nil {
		return err
	}
	w.disk.setDirect(w.direct)
	return nil
}

// WriteAt writes p, which lies aligned in memory and begins at a multiple of
// Align, at off.
func (w *Writer) WriteAt(p []byte, off int64) (int, error) { return w.WriteFrom(nil, p, off) }

// border returns where the region that holds off ends: head, body or tail.
func (w *Writer) border(off int64) int64 {
	for _, b := range []int64{spec.EndSize, w.size - spec.EndSize} {
		if off < b {
			return b
		}
	}
	return w.size
}

// end returns the file that stands for the disk at off, and the offset in it;
// nil in the body.
func (w *Writer) end(off int64) (*os.File, int64) {
	switch {
	case off < spec.EndSize:
		return w.head, off
	case off >= w.size-spec.EndSize:
		return w.tail, off - (w.size - spec.EndSize)
	}
	return nil, off
}

// writePart writes p, which lies in one region.
func (w *Writer) writePart(p []byte, off int64) error {
	if end, at := w.end(off); end != nil {
		_, err := end.WriteAt(p, at)
		return err
	}
	whole := len(p) - len(p)%Align
	w.later(p[whole:], off+int64(whole))
	return w.disk.writeAt(p[:whole], off)
}

// later keeps a copy of p for Flush: O_DIRECT cannot write a part of a block,
// which is left at the end of the image and of the body at most. Without
// O_DIRECT it is the same, since a range may be zeroed first and written after,
// and both must come in that order.
func (w *Writer) later(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = append(w.late, piece{off, append([]byte(nil), p...)})
}

// Zero makes n bytes at off zero, without writing where the disk can.
func (w *Writer) Zero(ctx context.Context, off, n int64) error {
	return w.zero(ctx, off, n, byAnyMeans)
}

// Punch makes n bytes at off zero without writing, or returns ErrCostly.
func (w *Writer) Punch(ctx context.Context, off, n int64) error {
	return w.zero(ctx, off, n, withoutWriting)
}

func (w *Writer) zero(ctx context.Context, off, n int64, limit Method) error {
	return w.eachPart(off, n, func(off, n int64) error { return w.zeroPart(ctx, off, n, limit) })
}

// eachPart calls do for the parts of a range that lie in one region each.
func (w *Writer) eachPart(off, n int64, do func(off, n int64) error) error {
	for n > 0 {
		part := min(w.border(off)-off, n)
		if err := do(off, part); err != nil {
			return fmt.Errorf("zeroing %d bytes at %d: %w", part, off, report.Bare(err))
		}
		off, n = off+part, n-part
	}
	return nil
}

// zeroPart zeroes a range in one region. Ends are zero since BlankEnds. The
// parts of blocks at either edge are left to Flush, because a disk with large
// sectors zeroes whole ones only.
func (w *Writer) zeroPart(ctx context.Context, off, n int64, limit Method) error {
	if end, _ := w.end(off); end != nil {
		return nil
	}
	first, last := (off+Align-1)/Align*Align, (off+n)/Align*Align
	if first >= last {
		w.later(make([]byte, n), off)
		return nil
	}
	if err := w.zeroer.zero(ctx, w.disk, first, last-first, limit); err != nil {
		return err
	}
	w.later(make([]byte, first-off), off)
	w.later(make([]byte, off+n-last), last)
	return nil
}

// Zeroing returns how ranges inside the image were made zero.
func (w *Writer) Zeroing() Method { return Method(w.zeroer.used.Load()) }

// Flush writes what was kept back and waits until the disk has everything.
func (w *Writer) Flush() error {
	if len(w.late) > 0 && w.direct {
		w.disk.setDirect(false)
		defer w.disk.setDirect(true)
	}
	for _, p := range w.late {
		if err := w.disk.writeAt(p.data, p.at); err != nil {
			return fmt.Errorf("writing %d bytes at %d: %w", len(p.data), p.at, err)
		}
	}
	w.late = nil
	if err := w.disk.flush(); err != nil {
		return fmt.Errorf("flushing the disk: %w", err)
	}
	return nil
}
