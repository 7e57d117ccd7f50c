package format

import (
	"bytes"
	"os"
	"testing"

	"snf-image/internal/spec"
)

// suite is what every format must pass: encode stores disk in a file in its
// way, and the decoded Disk must equal it. A format instantiates it like this:
//
//	func TestRaw(t *testing.T) { suite{spec.Raw, encodeRaw}.run(t) }
type suite struct {
	format spec.Format
	encode func(t *testing.T, path string, disk []byte)
}

// disks are contents that have been wrong somewhere: holes at either end,
// single sectors, an end inside a file system block.
func disks() map[string][]byte {
	sparse := make([]byte, 4<<20)
	copy(sparse[1<<20:], bytes.Repeat([]byte("data"), 70_000))
	copy(sparse[3<<20-512:], bytes.Repeat([]byte{0xff}, 512))
	dense := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	ends := make([]byte, 2<<20)
	ends[0], ends[len(ends)-1] = 1, 1
	return map[string][]byte{
		"one sector": bytes.Repeat([]byte{7}, 512),
		"all zero":   make([]byte, 1<<20),
		"dense":      dense,
		"odd end":    append(bytes.Clone(dense), bytes.Repeat([]byte{9}, 512*3)...),
		"zero end":   append(bytes.Clone(dense), make([]byte, 512*5)...),
		"sparse":     sparse,
		"ends only":  ends,
	}
}

func (s suite) run(t *testing.T) {
	t.Parallel()
	for name, want := range disks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/image"
			s.encode(t, path, want)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := Open(s.format, Source{File: f})
			if err != nil {
				t.Fatalf("Open = %v", err)
			}
			d := img.Disk
			if d.Size() != int64(len(want)) {
				t.Fatalf("Size() = %d, want %d", d.Size(), len(want))
			}
			if got := decode(t, d); !bytes.Equal(got, want) {
				t.Error("the decoded disk differs from what was encoded")
			}
			if _, err := d.ReadAt(make([]byte, 512), d.Size()-256); err == nil {
				t.Error("reading beyond the end succeeded, want an error")
			}
		})
	}
}

// decode checks the order of the extents and returns the disk.
func decode(t *testing.T, d Disk) []byte {
	t.Helper()
	got := bytes.Repeat([]byte{0xaa}, int(d.Size()))
	pos := int64(0)
	for e, err := range d.Extents() {
		if err != nil {
			t.Fatalf("Extents: %v", err)
		}
		if e.Offset != pos || e.Length <= 0 {
			t.Fatalf("extent %+v, want one that begins at %d", e, pos)
		}
		pos += e.Length
		if e.Zero {
			clear(got[e.Offset:pos])
			continue
		}
		if _, err := d.ReadAt(got[e.Offset:pos], e.Offset); err != nil {
			t.Fatalf("ReadAt(%d, %d) = %v", e.Offset, e.Length, err)
		}
	}
	if pos != d.Size() {
		t.Fatalf("extents end at %d, want %d", pos, d.Size())
	}
	return got
}
