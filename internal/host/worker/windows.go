package worker

import (
	"iter"

	"snf-image/internal/host/format"
)

// Sizes of the copy.
const (
	// unit is what is read, hashed, written or zeroed at least, and the block
	// of the digest, so it cannot change. A smaller one costs more calls, a
	// larger one reads and writes more zeros.
	unit = 64 << 10
	// chunkSize is what is read, hashed and written at once.
	chunkSize = 2 << 20
	// join is how much data is worth being made zero first to save a call,
	// which on a busy node takes as long as writing it.
	join = 1 << 20
	// maxWindow is how far the data of a window reaches. It bounds the memory
	// for the plan, and what is made zero before anything is written: zeroing a
	// window goes on beside the writing of the one before.
	maxWindow = 256 << 20
)

// span is a range of the disk.
type span struct{ start, end int64 }

func (s span) len() int64 { return s.end - s.start }

// spans yields the ranges that hold data, in whole units (but for the end of
// the disk), each within one chunk.
func spans(d format.Disk) iter.Seq2[span, error] {
	return func(yield func(span, error) bool) {
		var last span
		for e, err := range d.Extents() {
			if err != nil {
				yield(span{}, err)
				return
			}
			if e.Zero {
				continue
			}
			s := span{down(e.Offset, unit), min(up(e.Offset+e.Length, unit), d.Size())}
			if s.start <= last.end {
				last.end = max(last.end, s.end)
				continue
			}
			if !last.split(yield) {
				return
			}
			last = s
		}
		last.split(yield)
	}
}

// split yields s in parts that lie in one chunk each.
func (s span) split(yield func(span, error) bool) bool {
	for s.len() > 0 {
		part := span{s.start, min(s.end, down(s.start, chunkSize)+chunkSize)}
		if !yield(part, nil) {
			return false
		}
		s.start = part.end
	}
	return true
}

// window is a part of the disk, of whole chunks, and the spans of data in it.
// What lies between them is zero. Zeroing and writing work from the same
// window, so whatever an image does meanwhile, every byte is either written or
// zeroed.
type window struct {
	span
	data []span
}

// windows yields the whole disk in order.
func windows(d format.Disk) iter.Seq2[window, error] {
	return func(yield func(window, error) bool) {
		w := window{}
		for s, err := range spans(d) {
			if err != nil {
				yield(window{}, err)
				return
			}
			border := down(s.start, chunkSize)
			if len(w.data) > 0 && border-w.start >= maxWindow {
				w.end = border
				if !yield(w, nil) {
					return
				}
				w = window{span: span{border, border}}
			}
			w.data = append(w.data, s)
		}
		w.end = d.Size()
		if w.len() > 0 {
			yield(w, nil)
		}
	}
}

// gaps yields what lies between the data.
func (w window) gaps() iter.Seq[span] {
	return func(yield func(span) bool) {
		pos := w.start
		for _, s := range w.data {
			if s.start > pos && !yield(span{pos, s.start}) {
				return
			}
			pos = s.end
		}
		if pos < w.end {
			yield(span{pos, w.end})
		}
	}
}

// areas yields the gaps joined across data shorter than join: what is cheap to
// make zero is made so in few large steps, before the data is written.
func (w window) areas() iter.Seq[span] {
	return func(yield func(span) bool) {
		var last span
		for g := range w.gaps() {
			if last.len() > 0 && g.start-last.end < join {
				last.end = g.end
				continue
			}
			if last.len() > 0 && !yield(last) {
				return
			}
			last = g
		}
		if last.len() > 0 {
			yield(last)
		}
	}
}

// piece is the data of one chunk.
type piece struct {
	off  int64 // where the chunk begins
	data []span
}

// pieces yields the data chunk by chunk.
func (w window) pieces() iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for rest := w.data; len(rest) > 0; {
			p := piece{off: down(rest[0].start, chunkSize)}
			n := 1
			for n < len(rest) && rest[n].start < p.off+chunkSize {
				n++
			}
			p.data, rest = rest[:n], rest[n:]
			if !yield(p) {
				return
			}
		}
	}
}

func down(n, to int64) int64 { return n / to * to }
func up(n, to int64) int64   { return (n + to - 1) / to * to }
