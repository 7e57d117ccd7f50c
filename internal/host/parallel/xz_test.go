package parallel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"snf-image/internal/host/lzma"
	"snf-image/tests/corpus"
)

// shell returns what a script makes of in.
func shell(t testing.TB, in []byte, script string) []byte {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd := exec.Command("bash", "-ec", "set -o pipefail; "+script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &stderr)
	}
	return out.Bytes()
}

func mixture(seed uint64, n int) []byte { return corpus.Mixture(seed, n, 300000) }

// unpack reads everything, in pieces of odd sizes.
func unpack(b []byte) ([]byte, error) {
	var out bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{NewXZ(bytes.NewReader(b), 64<<20)}, make([]byte, 77_777))
	return out.Bytes(), err
}

// TestXZ reads what the real program packs, by every way there is to decode a block.
func TestXZ(t *testing.T) {
	t.Parallel()
	long := mixture(1, 5_000_003) // longer than a window
	data, code := long[:1_500_000], arm64Code(700_000)
	for name, tc := range map[string]struct {
		data   []byte
		script string
	}{
		"one block":             {long, "xz -1"},
		"blocks":                {data, "xz -1 -T2 --block-size=300KiB"},
		"blocks, no sizes":      {data, "xz -1 -T1 --block-size=300KiB"},
		"tiny blocks":           {long[:300_000], "xz -0 -T2 --block-size=4KiB"},
		"best":                  {data, "xz -9e"},
		"no check":              {data, "xz -0 -T2 --block-size=700KiB --check=none"},
		"CRC32":                 {data, "xz -0 -T2 --block-size=700KiB --check=crc32"},
		"SHA-256":               {data, "xz -0 -T2 --block-size=700KiB --check=sha256"},
		"SHA-256, one block":    {long, "xz -0 -T1 --check=sha256"},
		"small dictionary":      {long, "xz -T1 --lzma2=preset=0,dict=4KiB"},
		"literal positions":     {long, "xz -T1 --lzma2=preset=0,lc=0,lp=4,pb=4,dict=1MiB"},
		"literal context":       {data, "xz -T2 --lzma2=preset=0,lc=4,lp=0,pb=0"},
		"x86":                   {data, "xz -T2 --block-size=300KiB --x86 --lzma2=preset=0"},
		"x86, one block":        {long, "xz -T1 --x86 --lzma2=preset=0"},
		"ARM64":                 {code, "xz -T2 --block-size=300KiB --arm64 --lzma2=preset=0"},
		"ARM64, one block":      {append(long, code...), "xz -T1 --arm64=start=4096 --lzma2=preset=0"},
		"ARM64, odd length":     {code[:99_999], "xz -T1 --check=crc32 --arm64 --lzma2=preset=0"},
		"delta":                 {data, "xz -T2 --block-size=300KiB --delta=dist=4 --lzma2=preset=0"},
		"delta and x86, stored": {mixture(3, 3_000_000), "xz -T1 --delta=dist=1 --x86 --lzma2=preset=0 --check=none"},
		"noise":                 {shell(t, nil, "head -c 2M /dev/urandom"), "xz -0 -T2 --block-size=1MiB"},
		"zeros":                 {make([]byte, 42<<20), "xz -0 -T2 --block-size=20MiB"},
		"zeros, one block":      {make([]byte, 20<<20), "xz -0 -T1"},
		"nothing":               {nil, "xz"},
		"a byte":                {[]byte{7}, "xz"},
		"streams":               {data, "head -c 1000 | xz >/dev/null; xz -T1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := shell(t, tc.data, tc.script)
			want := shell(t, packed, "xz -dc")
			got, err := unpack(packed)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes differ from the %d of xz (%v)", len(got), len(want), err)
			}
		})
	}
}

// TestXZProperty compares random data, packed with random options, with what xz reads.
func TestXZProperty(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			var packed, want []byte
			for range 1 + r.IntN(3) {
				data := mixture(r.Uint64(), r.IntN(400_000))
				lc := r.IntN(5)
				script := fmt.Sprintf("xz -T%d --check=%s --block-size=%d", 1+r.IntN(2),
					[]string{"none", "crc32", "crc64", "sha256"}[r.IntN(4)], 1<<(12+r.IntN(10)))
				script += []string{"", "", " --x86", " --arm", " --delta=dist=3"}[r.IntN(5)]
				script += fmt.Sprintf(" --lzma2=preset=%d,lc=%d,lp=%d,pb=%d,dict=%d", r.IntN(7), lc, r.IntN(5-lc), r.IntN(5), 1<<(12+r.IntN(12)))
				packed = append(packed, shell(t, data, script)...)
				packed = append(packed, make([]byte, 4*r.IntN(3))...)
				want = append(want, data...)
			}
			if got, err := unpack(packed); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes differ from the %d that were packed (%v)", len(got), len(want), err)
			}
		})
	}
}

// small are files of some hundred bytes by each way to decode a block.
func small(t *testing.T) map[string][]byte {
	t.Helper()
	data := mixture(5, 40)
	return map[string][]byte{
		"blocks":   shell(t, data, "xz -T2 --block-size=16"),
		"no sizes": shell(t, data, "xz -T1 --block-size=16"),
		"delta":    shell(t, data, "xz -T2 --block-size=16 --delta --lzma2"),
		"one":      shell(t, data, "xz -T1 --check=sha256 --x86 --lzma2"),
	}
}

// TestXZCut: a file that was cut anywhere is not whole, and does not become longer.
func TestXZCut(t *testing.T) {
	t.Parallel()
	for name, b := range small(t) {
		whole, err := unpack(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range b {
			got, err := unpack(b[:n])
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(whole, got) {
				t.Errorf("%s, %d bytes of %d: %d bytes and %v, want %v", name, n, len(b), len(got), err, io.ErrUnexpectedEOF)
			}
		}
	}
}

// TestXZDamaged: every bit of a file counts.
func TestXZDamaged(t *testing.T) {
	t.Parallel()
	for name, b := range small(t) {
		for i := range b {
			harmed := bytes.Clone(b)
			harmed[i] ^= 1 << (i % 8)
			if got, err := unpack(harmed); err == nil {
				t.Errorf("%s with another byte %d of %d: %d bytes without an error", name, i, len(b), len(got))
			}
		}
	}
}

// TestXZMiddle: behind a damaged block nothing is handed on.
func TestXZMiddle(t *testing.T) {
	t.Parallel()
	const block = 512 << 10
	data := mixture(9, 3<<20)
	for _, options := range []string{"-T2", "-T1", "-T2 --delta --lzma2=preset=0", "-T1 --delta --lzma2=preset=0"} {
		packed := shell(t, data, "xz -0 --block-size=512KiB "+options)
		for _, at := range []int{len(packed) / 10, len(packed) / 2, len(packed) * 9 / 10} {
			harmed := bytes.Clone(packed)
			harmed[at] ^= 0x10
			got, err := unpack(harmed)
			if err == nil || errors.Is(err, io.ErrUnexpectedEOF) && at < len(packed)/2 {
				t.Errorf("%s, damaged at %d: %v", options, at, err)
			}
			if sound := len(got) / block * block; len(got) == len(data) && at < len(packed)/2 ||
				!bytes.Equal(got[:max(0, sound-block)], data[:max(0, sound-block)]) {
				t.Errorf("%s, damaged at %d: %d bytes came out", options, at, len(got))
			}
		}
	}
}

// arm64Code looks like n bytes of a program: half of it is instructions with distances.
func arm64Code(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	var b []byte
	for len(b) < n {
		word := r.Uint32()
		switch r.IntN(4) {
		case 0:
			word = word&0x3ffffff | 0x94000000
		case 1:
			word = word&0x60ffffff | 0x90000000 | -(word&1)&0xe00000
		case 2:
			word = 0
		}
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b[:n]
}

// withFilter gives the first block of a file with one filter another filter.
func withFilter(b []byte, id byte) []byte {
	header := b[xzHeader:]
	header = header[:(int(header[0])+1)*4]
	header[2] = id
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	return b
}

func TestXZRefuses(t *testing.T) {
	t.Parallel()
	one := shell(t, []byte("text"), "xz")
	for name, tc := range map[string]struct {
		file []byte
		kind error
	}{
		"padding of three bytes":  {append(bytes.Clone(one), 0, 0, 0), io.ErrUnexpectedEOF},
		"something behind it":     {append(bytes.Clone(one), "something else"...), errContainer},
		"padding in front":        {append(make([]byte, 4), one...), errContainer},
		"a large dictionary":      {shell(t, []byte("text"), "xz --lzma2=dict=256MiB"), ErrDictionary},
		"a filter of later times": {withFilter(shell(t, []byte("text"), "xz --arm64 --lzma2"), 0x0c), ErrUnknown},
		"ARM64 and another one":   {shell(t, []byte("text"), "xz --delta --arm64 --lzma2"), ErrUnknown},
		"empty":                   {nil, io.ErrUnexpectedEOF},
	} {
		if _, err := unpack(tc.file); !errors.Is(err, tc.kind) {
			t.Errorf("%s: %v, want %v", name, err, tc.kind)
		}
	}
}

// TestXZReadError: an error of what is read comes out as it is, behind what came before.
func TestXZReadError(t *testing.T) {
	t.Parallel()
	data := mixture(4, 1<<20)
	packed := shell(t, data, "xz -0 -T2 --block-size=256KiB")
	r := NewXZ(io.MultiReader(bytes.NewReader(packed[:len(packed)-100]), iotest.ErrReader(errors.ErrUnsupported)), 64<<20)
	got, err := io.ReadAll(r)
	if !errors.Is(err, errors.ErrUnsupported) || len(got) < len(data)/2 || !bytes.HasPrefix(data, got) {
		t.Errorf("%d bytes and %v", len(got), err)
	}
}

// TestXZBomb: what a header promises costs nothing until it is there.
func TestXZBomb(t *testing.T) {
	t.Parallel()
	packed := shell(t, nil, "head -c 150M /dev/zero | xz -0 -T2 --block-size=30MiB")
	r := NewXZ(bytes.NewReader(packed), 64<<20)
	least := budget
	buf := make([]byte, 1<<20)
	for {
		_, err := r.Read(buf)
		r.line.room.mu.Lock()
		least = min(least, r.line.room.left)
		r.line.room.mu.Unlock()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if least < 0 || least == budget {
		t.Errorf("%d bytes of the budget were left", least)
	}
}

func FuzzXZ(f *testing.F) {
	data := mixture(5, 40)
	for _, options := range []string{"-T2 --block-size=16", "-T1 --check=sha256", "-T2 --block-size=16 --delta --lzma2"} {
		f.Add(shell(f, data, "xz "+options))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = some(NewXZ(bytes.NewReader(b), 1<<20), 4<<20) })
}

// some reads at most so many bytes, and gives up what is left.
func some(r *Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most))
	if r.err == nil {
		r.end()
	}
	return b, err
}

// FuzzLZMA decodes what looks like chunks.
func FuzzLZMA(f *testing.F) {
	f.Add([]byte("\xe0\x00\x03\x00\x08\x5d\x00\x3a\x19\x4a\xce\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x00\x03text\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		d, in, buf, pos := new(lzma.Decoder), strings.NewReader(string(b)), make([]byte, 4<<20), 0
		d.Reset(1 << 20)
		for {
			c, packed, err := nextChunk(in, make([]byte, lzma.MaxPacked))
			if err != nil || c.Size == 0 || d.Decode(c, packed, buf, pos) != nil {
				return
			}
			pos += c.Size
		}
	})
}
