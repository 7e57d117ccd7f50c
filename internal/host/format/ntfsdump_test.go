package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snf-image/internal/host/bootrecord"
	"snf-image/internal/spec"
	"snf-image/tests/require"
)

// ntfsImage makes a file system of 4 MiB.
func ntfsImage(t *testing.T) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dump")
	require.Run(t, "", "sh", "-c", `PATH=$PATH:/sbin:/usr/sbin; truncate -s 4M "$0" && exec mkntfs -q -F "$0"`, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// TestNTFSDump makes the same disk of a dump however it comes: an MBR, and the dump, whose boot
// sector says where it lies.
func TestNTFSDump(t *testing.T) {
	t.Parallel()
	path, data := ntfsImage(t)
	before, need, err := bootrecord.NewNTFS(data[:bootrecord.Head], int64(len(data)))
	if err != nil || need > int64(len(data)) || need < int64(len(data))-4096-512 {
		t.Fatalf("NewNTFS: %d bytes, %v", need, err)
	}
	moved := bytes.Clone(data)
	binary.LittleEndian.PutUint32(moved[28:], 2048)
	want := slices.Concat(before[:bootrecord.Size], moved)
	if p := want[446:462]; p[0] != 0x80 || p[4] != 7 || binary.LittleEndian.Uint32(p[8:]) != 2048 || binary.LittleEndian.Uint32(p[12:]) != 8192 {
		t.Errorf("partition % x, want 4 MiB of NTFS, active, at sector 2048", p)
	}
	for name, s := range sources(t, path, data) {
		img, err := Open(spec.NTFSDump, s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []byte
		if img.Disk != nil {
			got = decode(t, img.Disk)
		} else if got, err = io.ReadAll(img.Stream); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) != len(want) || !bytes.Equal(got[bootrecord.Size:], want[bootrecord.Size:]) {
			t.Errorf("%s: the disk of %d bytes differs from the one of %d", name, len(got), len(want))
		}
	}
}

// TestNTFSDumpRefuses knows a dump that was cut, or is something else.
func TestNTFSDumpRefuses(t *testing.T) {
	t.Parallel()
	path, data := ntfsImage(t)
	change := func(at int, b ...byte) []byte {
		out := bytes.Clone(data)
		copy(out[at:], b)
		return out
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"cut":         {data[:2<<20], ErrTruncated},
		"zeros":       {make([]byte, 1<<20), ErrNotNTFS},
		"no mark":     {change(3, 'M'), ErrNotNTFS},
		"no sectors":  {change(40, make([]byte, 8)...), ErrNotNTFS},
		"odd sectors": {change(11, 1, 3), ErrNotNTFS},
		"absurd":      {change(47, 0xff), ErrNotNTFS},
		"no 55aa":     {change(510, 0), ErrNotNTFS},
	} {
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		for way, s := range sources(t, path, c.data) {
			img, err := Open(spec.NTFSDump, s)
			if err == nil && img.Stream != nil {
				_, err = io.Copy(io.Discard, img.Stream)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", name, way, err, c.want)
			}
		}
	}
}
