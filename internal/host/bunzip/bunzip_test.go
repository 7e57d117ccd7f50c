package bunzip

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"snf-image/tests/corpus"
	"snf-image/tests/require"
)

// begin is the bit behind the mark of the first block of a stream.
const begin = 80

func mixture(seed uint64, n int) []byte { return corpus.Mixture(seed, n, 9000) }

// pack returns a stream with data.
func pack(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	require.Tool(t, "bzip2")
	return []byte(require.Run(t, string(data), "bzip2", "-c", fmt.Sprint("-", level)))
}

// decoder returns one for blocks of every level.
func decoder() *Decoder {
	return &Decoder{Room: Room{make([]uint32, 9*Size), make([]uint32, 9*Size), make([]byte, 9*Size)}}
}

// decode returns what is in the block at a bit of packed, and where it ends.
func (d *Decoder) decode(packed []byte, bit, level int) ([]byte, int, error) {
	end, err := d.Open(packed, bit, level)
	if err != nil {
		return nil, end, err
	}
	var out bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{d}, make([]byte, 4099))
	return out.Bytes(), end, err
}

// TestDecode reads what bzip2 packs, at every bit of a byte.
func TestDecode(t *testing.T) {
	t.Parallel()
	d := decoder()
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 2))
		level := 1 + int(seed)%9
		data := mixture(seed, 1+r.IntN(level*Size-Size/10))
		if seed == 11 {
			data = make([]byte, 14<<20)
		}
		packed := pack(t, data, level)
		shift := int(seed % 8)
		moved := make([]byte, len(packed)+1)
		for i, b := range packed {
			moved[i] |= b >> shift
			moved[i+1] = byte(uint16(b) << (8 - shift))
		}
		got, end, err := d.decode(moved, begin+shift, level)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("seed %d: %d of %d bytes (%v)", seed, len(got), len(data), err)
		}
		if left := len(packed)*8 + shift - end; left < endBits || left >= endBits+8 {
			t.Errorf("seed %d: %d bits are left, want the end of the stream", seed, left)
		}
		if _, _, err := d.decode(moved[:len(moved)-20], begin+shift, level); !errors.Is(err, ErrShort) {
			t.Errorf("seed %d: cut: %v, want %v", seed, err, ErrShort)
		}
	}
}

// endBits are those of the end of a stream: its mark and its checksum.
const endBits = 48 + 32

// stream returns a whole stream with the block that ends at a bit of b.
func stream(b []byte, end int, sum uint32) []byte {
	b = append(bytes.Clone(b[:end/8+1]), make([]byte, 16)...)
	b[end/8] &^= 0xff >> (end % 8)
	tail := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, 0x177245385090<<16)[:6], sum)
	for i, c := range tail {
		b[end/8+i] |= c >> (end % 8)
		b[end/8+i+1] |= byte(uint16(c) << (8 - end%8))
	}
	return b[:(end+endBits+7)/8]
}

// compare decodes a block as the standard library does: what is whole to one is to the other.
func compare(t *testing.T, d *Decoder, packed []byte) {
	t.Helper()
	if len(packed) < begin/8+4 || packed[3] < '1' || packed[3] > '9' {
		return
	}
	got, end, err := d.decode(packed, begin, int(packed[3]-'0'))
	if errors.Is(err, ErrShort) {
		return
	}
	whole := stream(append(bytes.Clone(packed), 0), end, binary.BigEndian.Uint32(packed[begin/8:]))
	want, theirs := io.ReadAll(bzip2.NewReader(bytes.NewReader(whole)))
	if (err == nil) != (theirs == nil) || err == nil && !bytes.Equal(got, want) {
		t.Errorf("%d bytes and %v, the library has %d and %v", len(got), err, len(want), theirs)
	}
}

// TestDecodeDamaged changes bytes.
func TestDecodeDamaged(t *testing.T) {
	t.Parallel()
	d := decoder()
	for level, n := range map[int]int{1: 1500, 9: 100} {
		packed := pack(t, mixture(uint64(n), n), level)
		for i := begin / 8; i < len(packed)-endBits/8-1; i++ {
			harmed := bytes.Clone(packed)
			harmed[i] ^= 1 << (i % 8)
			compare(t, d, harmed)
		}
	}
}

// TestRandomized refuses what only the first versions of bzip2 made.
func TestRandomized(t *testing.T) {
	t.Parallel()
	packed := pack(t, []byte("text"), 1)
	packed[begin/8+4] |= 0x80
	if _, _, err := decoder().decode(packed, begin, 1); !errors.Is(err, ErrRandomized) {
		t.Errorf("%v, want %v", err, ErrRandomized)
	}
}

func FuzzBlock(f *testing.F) {
	for n := range 4 {
		f.Add(pack(f, mixture(uint64(n), 50<<(2*n)), 1+n))
	}
	d := decoder()
	f.Fuzz(func(t *testing.T, packed []byte) {
		copy(packed, "BZh")
		if len(packed) > begin/8 {
			copy(packed[4:], "\x31\x41\x59\x26\x53\x59")
		}
		compare(t, d, packed)
	})
}

func BenchmarkDecode(b *testing.B) {
	data := mixture(1, 890_000)
	packed, d, out := pack(b, data, 9), decoder(), make([]byte, len(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.Open(packed, begin, 9); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(d, out); err != nil {
			b.Fatal(err)
		}
	}
}
