package blockmap

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"snf-image/tests/vmdk"
)

// TestStreamRefuses: what contradicts itself in a stream is not taken for a disk.
func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	const first = 128 * sector // grain; the header and the descriptor are before it
	footer := len(vmdk.StreamOptimized(sample())) - 2*sector
	for name, tc := range map[string]struct {
		harm func(b []byte)
		want error
		text string
	}{
		"grain behind the disk":    {put64(le, first, 1<<40), ErrDamaged, "a grain of sector 1099511627776"},
		"grain between others":     {put64(le, first, 8*128+1), ErrDamaged, "a grain of sector 1025"},
		"grains in another order":  {put64(le, first, 62*128), ErrDamaged, "comes after sector"},
		"grain too long":           {put32(le, first+8, 1<<30), ErrDamaged, "1073741824 compressed bytes"},
		"grain damaged":            {put32(le, first+20, 0x5a5a5a5a), ErrDamaged, "the grain of sector"},
		"unknown marker":           {put32(le, footer-sector+12, 9), ErrDamaged, "a marker of type 9"},
		"footer of another disk":   {put64(le, footer+12, 4096), ErrDamaged, "its footer differs"},
		"footer that is none":      {put32(le, footer, 0), ErrDamaged, "its footer"},
		"descriptor of a flat one": {say(`SPARSE "`, `FLAT "`), ErrRefused, "lies in another file"},
		"descriptor behind grains": {put64(le, 28, 1<<20), ErrDamaged, "its descriptor at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := vmdk.StreamOptimized(sample())
			tc.harm(b)
			_, err := io.Copy(io.Discard, StreamVMDK(bytes.NewReader(b)))
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("read = %v, want %v with %q", err, tc.want, tc.text)
			}
		})
	}
}

// TestVHDSize: by whom an image was made reports whether its geometry or its size counts.
func TestVHDSize(t *testing.T) {
	t.Parallel()
	const size, geometry = 1 << 30, 2000 * 16 * 63 * sector
	for creator, want := range map[string]uint64{
		"vpc ": geometry, "qemu": geometry, "qem2": size, "win ": size, "vbox": size, "wa\x00\x00": size, "tap\x00": size,
	} {
		b := make([]byte, sector)
		copy(b[28:], creator)
		be.PutUint64(b[48:], size)
		be.PutUint16(b[56:], 2000)
		b[58], b[59] = 16, 63
		if got := vhdSize(b); got != want {
			t.Errorf("made by %q: %d bytes, want %d", creator, got, want)
		}
		be.PutUint16(b[56:], 65535) // geometry reaches no further
		b[59] = 255
		if got := vhdSize(b); got != size {
			t.Errorf("made by %q, of the largest geometry: %d bytes, want %d", creator, got, size)
		}
	}
}
