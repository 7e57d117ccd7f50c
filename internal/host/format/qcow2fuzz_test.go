package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"snf-image/tests/corpus"
)

// places are where the header, the tables and a cluster of a sound image lie.
func places(t testing.TB, b []byte) [][2]int {
	t.Helper()
	h, err := parseQcow2(b)
	if err != nil {
		t.Fatal(err)
	}
	first := func(at, end int64) uint64 { // entry that is not zero
		for ; at < end; at += 8 {
			if e := binary.BigEndian.Uint64(b[at:]); e != 0 {
				return e
			}
		}
		t.Fatalf("a table up to %#x is empty", end)
		return 0
	}
	l1end := h.l1Offset + int64(h.l1Entries)*8
	l2 := at64(first(h.l1Offset, l1end) & offsetMask)
	e := first(l2, l2+h.cluster())
	data := at64(e & offsetMask)
	if e&compressedFlag != 0 {
		data = h.compressed(e).at
	}
	places := [][2]int{{0, 112}, {int(h.l1Offset), int(l1end)}, {int(l2), int(l2 + min(h.cluster(), 1024))}}
	return append(places, [2]int{int(data), min(int(data)+64, len(b))})
}

// FuzzQcow2 changes header, tables and compressed bytes of sound images: what comes of it is
// read, or refused by one of the package's errors.
func FuzzQcow2(f *testing.F) {
	var sound [][]byte
	for i, args := range [][]string{
		{"-c", "-o", "cluster_size=512"},
		{"-c", "-o", "cluster_size=4K,compression_type=zstd"},
		{"-o", "cluster_size=512,compat=0.10"},
		{"-o", "extended_l2=on,cluster_size=16K"},
	} {
		b := qcow2Bytes(f, args...)
		sound = append(sound, b)
		var fields []byte
		for _, p := range places(f, b) {
			fields = append(fields, b[p[0]:p[1]]...)
		}
		f.Add(byte(i), fields)
		for at := 0; at < len(fields); at += 64 {
			f.Add(byte(i), append(fields[:at:at], append([]byte("\xff\xff\xff\xff"), fields[at+4:]...)...))
		}
	}
	file := corpus.File(f, nil)
	f.Fuzz(func(t *testing.T, which byte, fields []byte) {
		b := bytes.Clone(sound[int(which)%len(sound)])
		for _, p := range places(t, b) {
			fields = fields[copy(b[p[0]:p[1]], fields):]
		}
		if err := errors.Join(file.Truncate(0), file.Truncate(int64(len(b)))); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		err := readQcow2(file, 8<<20)
		known := []error{ErrRefused, ErrDamaged, ErrTruncated, ErrOdd, ErrAmbiguous}
		if err != nil && !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
			t.Errorf("%v, want one of the errors of an image", err)
		}
	})
}
