package worker

import (
	"io"
	"iter"
	"testing"

	"snf-image/internal/host/format"
)

// comb is a disk of which one sector in every period is data: what a hostile
// image would be, to make the plan large.
type comb struct {
	io.ReaderAt
	period, teeth int64
}

func (c comb) Size() int64 { return c.period*c.teeth + 512 }

func (c comb) Extents() iter.Seq2[format.Extent, error] {
	return func(yield func(format.Extent, error) bool) {
		for i := range c.teeth {
			if !yield(format.Extent{Offset: i * c.period, Length: 512}, nil) ||
				!yield(format.Extent{Offset: i*c.period + 512, Length: c.period - 512, Zero: true}, nil) {
				return
			}
		}
		yield(format.Extent{Offset: c.teeth * c.period, Length: 512}, nil)
	}
}

// TestWindows checks that windows, gaps and pieces cover the disk exactly once.
func TestWindows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]comb{
		"no hole":      {period: 512, teeth: 100_000},
		"short holes":  {period: unit, teeth: 5000},
		"long holes":   {period: 2 * unit, teeth: 2*maxWindow/(2*unit) + 17},
		"across units": {period: 2*unit + 512, teeth: 40_000},
		"one hole":     {period: 3 * maxWindow, teeth: 1},
		"few":          {period: 3*chunkSize + 512*7, teeth: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pos := int64(0)
			for w, err := range windows(c) {
				if err != nil {
					t.Fatal(err)
				}
				if w.start != pos || w.start%chunkSize != 0 || w.data[len(w.data)-1].end > w.start+maxWindow {
					t.Fatalf("window %v with data up to %d, want one that begins at %d", w.span, w.data[len(w.data)-1].end, pos)
				}
				if got := covered(t, w); got != w.len() {
					t.Fatalf("window %v: gaps and pieces make %d bytes", w.span, got)
				}
				pos = w.end
			}
			if pos != c.Size() {
				t.Errorf("windows end at %d, want %d", pos, c.Size())
			}
		})
	}
}

// covered sums up gaps and pieces, which lie inside the window and, the
// pieces, in one chunk each.
func covered(t *testing.T, w window) int64 {
	t.Helper()
	sum, last := int64(0), w.start
	for g := range w.gaps() {
		sum += g.len()
	}
	for p := range w.pieces() {
		for _, s := range p.data {
			if s.start < last || s.end > w.end || s.len() <= 0 || s.start < p.off || s.end > p.off+chunkSize {
				t.Fatalf("span %v in the piece at %d of window %v", s, p.off, w.span)
			}
			sum, last = sum+s.len(), s.end
		}
	}
	return sum
}

func TestAreasJoinGaps(t *testing.T) {
	t.Parallel()
	w := window{span{0, 100 << 20}, []span{{1 << 20, 1<<20 + unit}, {20 << 20, 24 << 20}, {30 << 20, 30<<20 + unit}}}
	var got []span
	for a := range w.areas() {
		got = append(got, a)
	}
	if len(got) != 2 || got[0] != (span{0, 20 << 20}) || got[1] != (span{24 << 20, 100 << 20}) {
		t.Errorf("areas = %v", got)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	b := noise(1, 4<<20)
	clear(b[unit : 2*unit])              // short: written
	clear(b[1<<20 : 1<<20+zeroRun+unit]) // long: made zero
	clear(b[len(b)-unit:])               // short, at the end: written
	var got []span
	for r := range runs(b) {
		if r.zero {
			got = append(got, span{int64(r.off), int64(r.off + len(r.data))})
		}
	}
	if len(got) != 1 || got[0] != (span{1 << 20, 1<<20 + zeroRun + unit}) {
		t.Errorf("zero runs = %v", got)
	}
}

func TestIsZero(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 17, 512, unit} {
		b := make([]byte, n)
		if !isZero(b) {
			t.Errorf("%d zero bytes are not zero", n)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if n == 0 {
				continue
			}
			b[at] = 1
			if isZero(b) {
				t.Errorf("%d bytes with a one at %d are zero", n, at)
			}
			b[at] = 0
		}
	}
}
