package worker

import (
	"bytes"
	"os"
	"testing"

	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// contents are images that meet every border: of units, chunks, digest blocks,
// the ends of the disk, and the image's own.
func contents() map[string][]byte {
	sparse := make([]byte, 24<<20)
	for i, off := range []int{0, 1<<20 - 4096, 2<<20 + 12288, 5 << 20, 8<<20 - 4096, 11 << 20, 16 << 20, 24<<20 - 8192} {
		copy(sparse[off:], noise(uint64(i), 4096*(i+1)))
	}
	zeros := noise(40, 20<<20)
	clear(zeros[3<<20 : 9<<20])
	clear(zeros[12<<20+65536 : 12<<20+3*65536])
	return map[string][]byte{
		"sparse":      sparse,
		"dense":       noise(41, 17<<20),
		"zero runs":   zeros,
		"all zero":    make([]byte, 8<<20),
		"odd sectors": noise(42, 9<<20+512*3),
		"one sector":  noise(43, 512),
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	for name, want := range contents() {
		for _, behind := range []int{0, 512 * 5, 7 << 20} {
			size := max(len(want)+behind, target.MinSize)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				disk := stale(t, size)
				testWrite(t, writeSparse(t, want), disk, want)
			})
		}
	}
}

func TestWriteDevice(t *testing.T) {
	t.Parallel()
	for name, want := range contents() {
		for _, sector := range []string{"512", "4096"} {
			t.Run(name+"/"+sector, func(t *testing.T) {
				t.Parallel()
				size := max(up(int64(len(want))+5<<20, 4096), target.MinSize)
				dev := loop(t, stale(t, int(size)), "--sector-size", sector)
				testWrite(t, writeSparse(t, want), dev, want)
			})
		}
	}
}

// testWrite writes image to disk, checks the disk before and after the commit,
// byte for byte.
func testWrite(t *testing.T, image, disk string, want []byte) {
	t.Helper()
	r := open(t, image, disk)
	var last, total int64
	r.Progress = func(p Progress) { last, total = p.Position, p.Total }
	got, err := r.write(t.Context())
	if err != nil {
		t.Fatalf("writing: %v", err)
	}
	if !blank(t, disk) {
		t.Error("an end of the disk holds something before the commit")
	}
	if want := blockDigest(want); got.Digest != want {
		t.Errorf("digest %s, want %s", got.Digest, want)
	}
	if last != total {
		t.Errorf("progress ends at %d of %d", last, total)
	}
	if got.Wiped != target.WipedPunched && got.Wiped != target.WipedNothing {
		t.Errorf("wiped: %q", got.Wiped)
	}
	if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
		t.Fatal(err)
	}
	whole := append(bytes.Clone(want), make([]byte, int(r.DiskSize)-len(want))...)
	compare(t, readDisk(t, disk), whole)
}

func compare(t *testing.T, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("the disk has %d bytes, want %d", len(got), len(want))
	}
	if bytes.Equal(got, want) {
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the disk differs at %d: %#x, want %#x", i, got[i], want[i])
		}
	}
}

func TestHeadAndTailApart(t *testing.T) {
	t.Parallel()
	want := noise(1, 6<<20)
	r := open(t, writeSparse(t, want), stale(t, len(want)))
	if _, err := r.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		f    *os.File
		want []byte
	}{
		"head": {r.Head, want[:spec.EndSize]},
		"tail": {r.Tail, want[len(want)-spec.EndSize:]},
	} {
		got := make([]byte, spec.EndSize)
		if _, err := tc.f.ReadAt(got, 0); err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("%s differs from the image (%v)", name, err)
		}
	}
}
