package target

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// staleDisk is a disk file full of another tenant's bytes.
func staleDisk(t *testing.T, size int64) string {
	t.Helper()
	path := newDisk(t, size)
	if err := os.WriteFile(path, bytes.Repeat([]byte{0x55}, int(size)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newEnd(t *testing.T, content []byte) *os.File {
	t.Helper()
	f, err := NewEnd("end")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func is(b []byte, want byte) bool { return bytes.Count(b, []byte{want}) == len(b) }

func TestNewEndKeepsItsLength(t *testing.T) {
	t.Parallel()
	f := newEnd(t, nil)
	for _, n := range []int64{0, spec.EndSize * 2} {
		if err := f.Truncate(n); err == nil {
			t.Errorf("an end of the disk could be cut or extended to %d bytes", n)
		}
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	path := staleDisk(t, testSize+512)
	d := open(t, path, Options{})
	head := newEnd(t, bytes.Repeat([]byte{1}, spec.EndSize))
	tail := newEnd(t, bytes.Repeat([]byte{2}, spec.EndSize))
	if err := Commit(t.Context(), d, head, tail); err != nil {
		t.Fatal(err)
	}
	b := read(t, path)
	n := len(b) - spec.EndSize
	if !is(b[:spec.EndSize], 1) || !is(b[spec.EndSize:n], 0x55) || !is(b[n:], 2) {
		t.Error("the disk is not head, body, tail")
	}
	if err := blankEnds(d.medium(), d.Size); err != nil {
		t.Fatal(err)
	}
	b = read(t, path)
	if !is(b[:spec.EndSize], 0) || !is(b[spec.EndSize:n], 0x55) || !is(b[n:], 0) {
		t.Error("the disk is not zero, body, zero")
	}
}

// TestCommitOrder breaks off a commit at its first write: what is on the disk
// must not boot.
func TestCommitOrder(t *testing.T) {
	t.Parallel()
	path := staleDisk(t, testSize)
	d := open(t, path, Options{})
	if err := blankEnds(d.medium(), d.Size); err != nil {
		t.Fatal(err)
	}
	short, err := os.CreateTemp(t.TempDir(), "head")
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	err = Commit(t.Context(), d, short, newEnd(t, []byte{1}))
	if report.KindOf(err) != report.Disk {
		t.Fatalf("Commit with a short head = %v, want a failure of the disk", err)
	}
	if b := read(t, path); !is(b[:spec.EndSize], 0) || !is(b[len(b)-spec.EndSize:], 0) {
		t.Error("a commit without a head wrote an end of the disk")
	}
}

func newWriter(t *testing.T, path string) *Writer {
	t.Helper()
	d := open(t, path, Options{})
	w, err := NewWriter(d.File, newEnd(t, nil), newEnd(t, nil), d.Size)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestZeroMethods forbids the cheap methods one after the other, as disks do
// that lack them.
func TestZeroMethods(t *testing.T) {
	t.Parallel()
	for _, device := range []bool{false, true} {
		for lacks := None; lacks < Written; lacks++ {
			path := staleDisk(t, testSize)
			disk := path
			if device {
				disk = loop(t, path)
			}
			w := newWriter(t, disk)
			w.zeroer.lacks.Store(int32(lacks))
			from, n := int64(2<<20+512), int64(3<<20+1024)
			if err := w.Zero(t.Context(), from, n); err != nil {
				t.Fatalf("device %v without %v: %v", device, lacks, err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			b := read(t, disk)
			if !is(b[:from], 0x55) || !is(b[from:from+n], 0) || !is(b[from+n:], 0x55) {
				t.Errorf("device %v, by %v: not exactly the range is zero", device, w.Zeroing())
			}
			if got := w.Zeroing(); got <= lacks {
				t.Errorf("zeroed by %v, which the disk lacks", got)
			}
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	const from = 3<<20 + 512
	for name, tc := range map[string]struct {
		how   Wipe
		lacks Method
		want  Wiped
		zero  bool
	}{
		"auto":                {WipeAuto, None, WipedPunched, true},
		"auto, costly":        {WipeAuto, PunchHole, WipedCostly, false},
		"zero":                {WipeZero, None, WipedPunched, true},
		"zero, costly":        {WipeZero, PunchHole, WipedWritten, true},
		"none":                {WipeNone, None, WipedLeft, false},
		"nothing behind":      {WipeAuto, None, WipedNothing, false},
		"auto, but no method": {WipeAuto, Offload, WipedCostly, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := staleDisk(t, testSize)
			w := newWriter(t, path)
			w.zeroer.lacks.Store(int32(tc.lacks))
			off := int64(from)
			if tc.want == WipedNothing {
				off = testSize
			}
			if err := w.BlankEnds(); err != nil {
				t.Fatal(err)
			}
			got, n, err := w.Wipe(t.Context(), off, tc.how)
			if err != nil || got != tc.want || (n == testSize-off && n > 0) != tc.zero {
				t.Fatalf("Wipe = %q, %d, %v, want %q", got, n, err, tc.want)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			b := read(t, path)
			if is(b[from:], 0) != tc.zero || !is(b[spec.EndSize:from], 0x55) {
				t.Errorf("zero behind the image: %v, want %v", is(b[from:], 0), tc.zero)
			}
		})
	}
}

func TestZeroStops(t *testing.T) {
	t.Parallel()
	w := newWriter(t, staleDisk(t, testSize))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if err := w.Zero(ctx, 2<<20, 1<<20); !errors.Is(err, stop) {
		t.Errorf("Zero after the end = %v, want %v", err, stop)
	}
}

// TestWriteOverPunched zeroes a range and writes its end, which is not a whole
// block: the data must win, with O_DIRECT and without.
func TestWriteOverPunched(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		path := staleDisk(t, testSize+512*3)
		w := newWriter(t, path)
		w.direct = direct && w.direct
		w.disk.setDirect(w.direct)
		if err := w.Punch(t.Context(), 2<<20, 6<<20); err != nil {
			t.Fatal(err)
		}
		data, err := Buffer(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		copy(data, bytes.Repeat([]byte{7}, len(data)))
		if _, err := w.WriteAt(data, 7<<20); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		b := read(t, path)
		if body := len(b) - spec.EndSize; !is(b[7<<20:body], 7) || !is(b[2<<20:7<<20], 0) {
			t.Errorf("direct %v: the zeros overwrote the data, or were not written", direct)
		}
	}
}

// TestParallel writes side by side to a file that is empty, and to one that is not,
// with io_submit and where there is none.
func TestParallel(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(parallel){
		"io_submit": func(parallel) {},
		// A context that is none fails as a sandbox without io_submit does.
		"without": func(p parallel) {
			for range maxIdle {
				p.idle <- aioContext(1)
			}
		},
	} {
		for _, path := range []string{newDisk(t, testSize), staleDisk(t, testSize)} {
			w := newWriter(t, path)
			p, ok := w.disk.(parallel)
			if !ok {
				t.Fatal("the file system of the test has no O_DIRECT")
			}
			spoil(p)
			var want []byte
			var wg sync.WaitGroup
			for i := range testSize >> 20 {
				b, err := Buffer(1 << 20)
				if err != nil {
					t.Fatal(err)
				}
				copy(b, bytes.Repeat([]byte{byte(i + 1)}, len(b)))
				want = append(want, b...)
				wg.Go(func() {
					if err := p.writeAt(b, int64(i)<<20); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			if !bytes.Equal(read(t, path), want) {
				t.Errorf("%s: the disk does not hold what was written", name)
			}
		}
	}
}

// TestParallelErrors: an error of the disk is the one write(2) would give.
func TestParallelErrors(t *testing.T) {
	t.Parallel()
	f, err := os.Open(newDisk(t, testSize))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := newParallel(local{f: f}).writeAt(aligned(Align), 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("writing to a descriptor for reading = %v, want %v", err, unix.EBADF)
	}
}

// moody is a disk whose flushes fail from one of them on, to another.
type moody struct {
	disk     []byte
	flushes  int
	from, to int
}

func (m *moody) writeAt(p []byte, off int64) error {
	copy(m.disk[off:], p)
	return nil
}
func (m *moody) makeZero(Method, int64, int64) error { return unix.EOPNOTSUPP }
func (m *moody) setDirect(bool) bool                 { return false }

func (m *moody) flush() error {
	if m.flushes++; m.flushes >= m.from && m.flushes < m.to {
		return unix.EIO
	}
	return nil
}

// TestCommitTakesBack: an error after sector 0 was written may have left it on the
// disk, which then is zero again, or is said to be dangerous.
func TestCommitTakesBack(t *testing.T) {
	t.Parallel()
	const last = 3 // the flush after sector 0
	for name, tc := range map[string]struct {
		to     int
		remedy string
	}{
		"once":    {last + 1, "the disk does not boot as it is"},
		"for all": {last + 99, "it may boot"},
	} {
		m := &moody{disk: make([]byte, testSize), from: last, to: tc.to}
		d := &Disk{Path: "/dev/x", Size: testSize}
		one := bytes.Repeat([]byte{1}, spec.EndSize)
		err := d.commit(t.Context(), m, one, one)
		if f, ok := errors.AsType[*report.Failure](err); !ok || f.Kind != report.Disk || !errors.Is(err, unix.EIO) || !strings.Contains(f.Remedy, tc.remedy) {
			t.Errorf("%s: commit = %v, want EIO and %q", name, err, tc.remedy)
		}
		if !is(m.disk[:Sector], 0) {
			t.Errorf("%s: sector 0 stays written", name)
		}
	}
}
