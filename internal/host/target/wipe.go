package target

import (
	"context"
	"errors"
)

// Wipe is what happens to the disk behind the image.
type Wipe string

// The values of WIPE. The last spec.EndSize bytes of the disk are made zero
// whatever it is, since they belong to the commit.
const (
	WipeAuto Wipe = "auto" // zero it where that needs no writing
	WipeZero Wipe = "zero" // zero it, by writing if need be
	WipeNone Wipe = "none" // leave it
)

// Wiped is what became of the disk behind the image.
type Wiped string

// The outcomes of a wipe. Zeroed by writing has the value "written".
const (
	WipedNothing Wiped = "nothing behind the image"
	WipedPunched Wiped = "zeroed without writing"
	WipedWritten Wiped = "zeroed by writing"
	WipedLeft    Wiped = "left as asked"
	WipedCostly  Wiped = "left: the disk zeroes only by writing"
)

// Wipe treats the disk from off to its end as how says, and returns what was
// done and how many bytes are zero now.
func (w *Writer) Wipe(ctx context.Context, off int64, how Wipe) (Wiped, int64, error) {
	n := w.size - off
	switch {
	case n == 0:
		return WipedNothing, 0, nil
	case how == WipeNone:
		return WipedLeft, 0, nil
	}
	limit := withoutWriting
	if how == WipeZero {
		limit = byAnyMeans
	}
	// A zeroer of its own: Zeroing tells about the image alone.
	z := w.wiper()
	err := z.zero(ctx, off, n, limit)
	w.late = append(w.late, z.late...)
	switch {
	case errors.Is(err, ErrCostly):
		return WipedCostly, 0, nil
	case err != nil:
		return "", 0, err
	case z.Zeroing() > PunchHole:
		return WipedWritten, n, nil
	}
	return WipedPunched, n, nil
}

// wiper returns a Writer on the same disk that counts for itself.
func (w *Writer) wiper() *Writer {
	z := &Writer{disk: w.disk, head: w.head, tail: w.tail, size: w.size, direct: w.direct}
	z.zeroer.lacks.Store(w.zeroer.lacks.Load())
	return z
}

// Valid reports whether w is one of the outcomes.
func (w Wiped) Valid() bool {
	switch w {
	case WipedNothing, WipedPunched, WipedWritten, WipedLeft, WipedCostly:
		return true
	}
	return false
}
