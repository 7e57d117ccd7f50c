package parallel

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

func unpackBzip2(b []byte) ([]byte, error) {
	var out bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{NewBzip2(bytes.NewReader(b))}, make([]byte, 77_777))
	return out.Bytes(), err
}

// TestBzip2 reads what real programs pack.
func TestBzip2(t *testing.T) {
	t.Parallel()
	data := mixture(1, 1_500_003)
	for name, tc := range map[string]struct {
		data   []byte
		script string
	}{
		"one stream":    {data, "bzip2 -9"},
		"small blocks":  {data, "bzip2 -1"},
		"streams":       {data, "split -b 500000 --filter='bzip2 -3'"},
		"empty streams": {data[:1000], "bzip2 </dev/null; bzip2; bzip2 </dev/null; bzip2 </dev/null"},
		"noise":         {shell(t, nil, "head -c 500K /dev/urandom"), "bzip2 -1"},
		"zeros":         {make([]byte, 50<<20), "bzip2 -9"},
		"zeros, small":  {append(make([]byte, 30<<20), "text"...), "bzip2 -1"},
		"nothing":       {nil, "bzip2"},
		"a byte":        {[]byte{7}, "bzip2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := shell(t, tc.data, tc.script)
			got, err := unpackBzip2(packed)
			if err != nil || !bytes.Equal(got, tc.data) {
				t.Errorf("%d bytes differ from the %d that were packed (%v)", len(got), len(tc.data), err)
			}
		})
	}
}

// TestBzip2Property compares random data with what the library reads.
func TestBzip2Property(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 3))
			var packed []byte
			for range 1 + r.IntN(3) {
				packed = append(packed, shell(t, mixture(r.Uint64(), r.IntN(600_000)), fmt.Sprintf("bzip2 -%d", 1+r.IntN(3)))...)
			}
			want, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(packed)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := unpackBzip2(packed); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes differ from %d (%v)", len(got), len(want), err)
			}
		})
	}
}

func TestBzip2Damaged(t *testing.T) {
	t.Parallel()
	data := mixture(5, 100)
	b := append(shell(t, data, "bzip2 -1"), shell(t, data, "bzip2 -1")...)
	whole := append(bytes.Clone(data), data...)
	for n := range b {
		got, err := unpackBzip2(b[:n])
		if n != len(b)/2 && !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(whole, got) {
			t.Errorf("%d bytes of %d: %d bytes and %v, want %v", n, len(b), len(got), err, io.ErrUnexpectedEOF)
		}
	}
	fill := 0
	for i := range b {
		harmed := bytes.Clone(b)
		harmed[i] ^= 1 << (i % 8)
		got, err := unpackBzip2(harmed)
		if err != nil {
			continue
		}
		if !bytes.Equal(got, whole) {
			t.Errorf("with another byte %d of %d something else comes out", i, len(b))
		}
		fill++ // bits that fill the last byte of a stream, or choose a table nothing uses
	}
	if fill > len(b)/50 {
		t.Errorf("%d of %d bytes do not count", fill, len(b))
	}
}

// TestBzip2Middle: behind a damaged block nothing is handed on.
func TestBzip2Middle(t *testing.T) {
	t.Parallel()
	data := mixture(9, 2<<20)
	packed := shell(t, data, "bzip2 -1")
	for _, at := range []int{len(packed) / 10, len(packed) / 2, len(packed) * 9 / 10} {
		harmed := bytes.Clone(packed)
		harmed[at] ^= 0x10
		got, err := unpackBzip2(harmed)
		if err == nil || bytes.Equal(got, data) || at < len(packed)/2 && len(got) > len(data)/2 {
			t.Errorf("damaged at %d: %d bytes and %v", at, len(got), err)
		}
	}
}

// TestBzip2FalseMark takes bits inside of a block for a mark.
func TestBzip2FalseMark(t *testing.T) {
	t.Parallel()
	data := mixture(3, 90_000)
	packed := shell(t, data, "bzip2 -1")
	s := scanner{in: bufio.NewReader(bytes.NewReader(packed[4:]))}
	if _, err := s.first(); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, len(packed))
	_, n, mark, err := s.next(block)
	sum, sumErr := s.sum()
	if err != nil || mark != endMark || sumErr != nil {
		t.Fatalf("%d bits, then %#x (%v, %v), want one block", n, mark, err, sumErr)
	}
	for _, cut := range []int{32, 1003, 40_004, n - 100} {
		// What is taken for a mark begins at any bit, and so does what follows.
		inside := binary.BigEndian.Uint64(block[cut/8:]) << (cut % 8) >> (64 - markBits)
		behind := cut + markBits
		if cut%8 > 0 {
			inside = inside&^0xff | uint64(binary.BigEndian.Uint16(block[cut/8+5:])<<(cut%8)>>8)
		}
		got, err := io.ReadAll(newReader(nil, func(l *line) error {
			f := &bzip2File{line: l}
			for _, b := range []*bzip2Block{
				{mark: blockMark, packed: block, bits: cut},
				{mark: inside, packed: block[behind/8:], shift: uint(behind % 8), bits: n - behind/8*8},
			} {
				b.level, b.prev, b.scanned, b.done = '1', f.last, make(chan struct{}), make(chan struct{})
				if err := f.begin(b, nil); err != nil {
					return err
				}
			}
			return f.end(&scanner{in: bufio.NewReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, sum)))})
		}))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("cut at bit %d of %d: %d bytes (%v)", cut, n, len(got), err)
		}
	}
}

func FuzzBzip2(f *testing.F) {
	f.Add(shell(f, mixture(5, 300), "bzip2 -1"))
	f.Add(shell(f, mixture(5, 300), "bzip2 -1; bzip2 -9 </dev/null"))
	f.Add(shell(f, mixture(5, 100), "bzip2 -9; bzip2 -1 <<<text"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(b)), 1<<20))
		got, ours := some(NewBzip2(bytes.NewReader(b)), 1<<20)
		if err == nil && (ours != nil || !bytes.Equal(got, want)) {
			t.Errorf("%d bytes and %v, the library has %d", len(got), ours, len(want))
		}
	})
}
