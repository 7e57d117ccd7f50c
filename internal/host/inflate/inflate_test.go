package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"snf-image/tests/corpus"
)

func mixture(seed uint64, n int) []byte { return corpus.Mixture(seed, n, 9000) }

func deflate(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var d Decoder
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 2))
		data := mixture(seed, 1+r.IntN(150_000))
		packed := deflate(t, data, int(seed%12)-2)
		for _, want := range [][]byte{data, data[:len(data)/2], data[:1]} {
			for _, src := range [][]byte{packed, append(bytes.Clone(packed), data[:min(500, len(data))]...)} {
				got := make([]byte, len(want))
				if err := d.Decode(got, src); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("seed %d: %d of %d bytes differ (%v)", seed, len(want), len(data), err)
				}
			}
		}
		got := make([]byte, len(data)+1)
		if n, end, err := d.DecodeAll(got, append(bytes.Clone(packed), "behind"...)); err != nil || end != len(packed) || !bytes.Equal(got[:n], data) {
			t.Errorf("seed %d: all: %d of %d bytes, of %d of %d (%v)", seed, n, len(data), end, len(packed), err)
		}
		if _, _, err := d.DecodeAll(got[:len(data)], packed); !errors.Is(err, ErrLong) {
			t.Errorf("seed %d: all, without room: %v, want %v", seed, err, ErrLong)
		}
		if err := d.Decode(make([]byte, len(data)+1), packed); !errors.Is(err, ErrShort) {
			t.Errorf("seed %d: a byte more than there is: %v, want %v", seed, err, ErrShort)
		}
	}
}

// TestDecodeDamaged compares with the standard library what becomes of streams that are
// cut or have other bytes in them.
func TestDecodeDamaged(t *testing.T) {
	t.Parallel()
	var d Decoder
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 6} {
		data := mixture(uint64(level+10), 1500)
		packed := deflate(t, data, level)
		for i := range packed {
			got := make([]byte, len(data))
			if err := d.Decode(got, packed[:i]); err == nil && !bytes.Equal(got, data) {
				t.Errorf("level %d: %d of %d bytes are enough for something else", level, i, len(packed))
			}
			harmed := bytes.Clone(packed)
			harmed[i] ^= 1 << (i % 8)
			compare(t, &d, harmed, len(data))
		}
	}
}

// compare decodes the first n bytes of what the standard library decodes to as many.
func compare(t *testing.T, d *Decoder, packed []byte, n int) {
	t.Helper()
	want := make([]byte, n)
	k, err := io.ReadFull(flate.NewReader(bytes.NewReader(packed)), want)
	got := make([]byte, n)
	ours := d.Decode(got, packed)
	if err == nil && (ours != nil || !bytes.Equal(got, want)) {
		t.Errorf("%x: %v, and the library decodes it", packed[:min(len(packed), 50)], ours)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // it asks for bits that zlib does not need
		n = k
	}
	if ours == nil && !bytes.Equal(got[:n], want[:n]) {
		t.Errorf("%x: something else than the library", packed[:min(len(packed), 50)])
	}
}

func FuzzDecode(f *testing.F) {
	for level := -2; level <= 9; level++ {
		f.Add(deflate(f, mixture(uint64(level+2), 300), level), uint16(300))
	}
	f.Fuzz(func(t *testing.T, packed []byte, n uint16) { compare(t, new(Decoder), packed, int(n)) })
}

func BenchmarkDecode(b *testing.B) {
	data := mixture(1, 64<<10)
	packed := deflate(b, data, 6)
	var d Decoder
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := d.Decode(data, packed); err != nil {
			b.Fatal(err)
		}
	}
}
