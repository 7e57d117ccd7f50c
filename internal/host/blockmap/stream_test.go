package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"snf-image/tests/corpus"
)

// TestStreamRefuses: what contradicts itself in a stream is not taken for a disk.
func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	sound := kinds()["packed"].Bytes(t)
	for name, r := range corpus.Streamed() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := io.Copy(io.Discard, StreamVMDK(bytes.NewReader(r.Make(sound))))
			if !errors.Is(err, classes[r.Class]) || !strings.Contains(err.Error(), r.Text) {
				t.Errorf("read = %v, want %v with %q", err, classes[r.Class], r.Text)
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
		binary.BigEndian.PutUint64(b[48:], size)
		binary.BigEndian.PutUint16(b[56:], 2000)
		b[58], b[59] = 16, 63
		if got := vhdSize(b); got != want {
			t.Errorf("made by %q: %d bytes, want %d", creator, got, want)
		}
		binary.BigEndian.PutUint16(b[56:], 65535) // geometry reaches no further
		b[59] = 255
		if got := vhdSize(b); got != size {
			t.Errorf("made by %q, of the largest geometry: %d bytes, want %d", creator, got, size)
		}
	}
}
