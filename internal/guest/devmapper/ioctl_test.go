package devmapper

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// TestTable takes a request apart again by the rules of linux/dm-ioctl.h: each
// target says where the next one starts.
func TestTable(t *testing.T) {
	t.Parallel()
	pieces := []Piece{
		Linear{"/dev/vdb", 0, 2048},
		Linear{"/dev/vda", 2048, 10_000},
		Striped{Stripes: []Linear{{"/dev/vdc", 0, 0}, {"/dev/vdd", 8, 0}}, Chunk: 128, Length: 2048},
	}
	r := newTable("disk-a", flagReadOnly, pieces)
	if got := binary.NativeEndian.Uint32(r[ioctlTargets:]); got != 3 {
		t.Errorf("target_count = %d, want 3", got)
	}
	if got := binary.NativeEndian.Uint32(r[ioctlFlags:]); got != flagReadOnly {
		t.Errorf("flags = %d, want read-only", got)
	}
	if got := cString(r[ioctlName:]); got != "disk-a" {
		t.Errorf("name = %q, want disk-a", got)
	}
	want := []struct {
		start, length uint64
		kind, params  string
	}{{0, 2048, "linear", "/dev/vdb 0"}, {2048, 10_000, "linear", "/dev/vda 2048"}, {12_048, 2048, "striped", "2 128 /dev/vdc 0 /dev/vdd 8"}}
	rest := r[binary.NativeEndian.Uint32(r[ioctlStart:]):]
	for _, w := range want {
		start, length := binary.NativeEndian.Uint64(rest), binary.NativeEndian.Uint64(rest[specLength:])
		if start != w.start || length != w.length || cString(rest[specType:]) != w.kind || cString(rest[specSize:]) != w.params {
			t.Errorf("target %d +%d %q, want %+v", start, length, cString(rest[specSize:]), w)
		}
		next := binary.NativeEndian.Uint32(rest[specNext:])
		if next%8 != 0 {
			t.Errorf("next = %d is not aligned", next)
		}
		rest = rest[next:]
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes are left over", len(rest))
	}
}

func TestLongNameIsCut(t *testing.T) {
	t.Parallel()
	r := newRequest(strings.Repeat("x", 1000), 0)
	if got := len(cString(r[ioctlName:])); got != nameSize-1 || len(r) != ioctlSize {
		t.Errorf("name of %d bytes in a request of %d", got, len(r))
	}
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
