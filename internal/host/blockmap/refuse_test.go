package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"snf-image/tests/corpus"
	"snf-image/tests/vmdk"
)

// classes are the errors of the corpus.
var classes = map[corpus.Class]error{corpus.Refused: ErrRefused, corpus.Damaged: ErrDamaged, corpus.Truncated: ErrTruncated}

func TestRefuses(t *testing.T) {
	t.Parallel()
	all := kinds()
	for name, r := range corpus.Refusals() {
		k := all[r.Kind]
		if k == nil { // another package's
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := k.disk(t, r.Make(k.Bytes(t))); !errors.Is(err, classes[r.Class]) || !strings.Contains(err.Error(), r.Text) {
				t.Errorf("open = %v, want %v with %q", err, classes[r.Class], r.Text)
			}
		})
	}
}

// TestChecksums: a header with a wrong checksum is not believed, and of VHDX the other one is.
func TestChecksums(t *testing.T) {
	t.Parallel()
	vhd, vhdx := kinds()["vhd"], kinds()["vhdx"]
	for _, at := range []int{30, 512 + 40} {
		b := vhd.Bytes(t)
		b[at] ^= 1
		if _, err := vhd.disk(t, b); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("VHD with a change at %d: %v", at, err)
		}
	}
	b := vhd.Bytes(t)
	copy(b[len(b)-sector:], make([]byte, sector))
	if _, err := vhd.disk(t, b); !errors.Is(err, ErrTruncated) {
		t.Errorf("VHD without footer: %v", err)
	}
	b = vhdx.Bytes(t)
	b[64<<10+20] ^= 1
	b[192<<10+20] ^= 1
	if got, err := vhdx.disk(t, b); err != nil || !bytes.Equal(got, corpus.Sample()) {
		t.Errorf("VHDX with one header and one table that are damaged: %v", err)
	}
	b[128<<10+20] ^= 1
	if _, err := vhdx.disk(t, b); !errors.Is(err, ErrDamaged) {
		t.Errorf("VHDX without a sound header: %v", err)
	}
}

// TestGrainChecksum: a grain that is damaged where nothing but its checksum tells is refused,
// also the last one, which may be shorter than others.
func TestGrainChecksum(t *testing.T) {
	t.Parallel()
	const grain = 128 * sector
	for _, size := range []int{64 << 10, 50 * sector} {
		b := vmdk.StreamOptimized(bytes.Repeat([]byte("text"), size/4))
		if _, err := kinds()["packed"].disk(t, b); err != nil {
			t.Fatal(err)
		}
		b[grain+markerLength+int(binary.LittleEndian.Uint32(b[grain+8:]))-1] ^= 1
		if _, err := kinds()["packed"].disk(t, b); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%d bytes: %v, want %v", size, err, ErrDamaged)
		}
		if _, err := io.Copy(io.Discard, StreamVMDK(bytes.NewReader(b))); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes as a stream: %v, want %v", size, err, ErrDamaged)
		}
	}
}
