package worker

import (
	"os"
	"strings"
	"testing"

	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// streamer is a deployment of an image that comes as a stream.
func streamer(t *testing.T, stream *os.File, declared int, path string) rig {
	t.Helper()
	r := open(t, os.DevNull, path)
	r.Image, r.Stream, r.ImageSize = stream, true, int64(declared)
	return r
}

// TestStream writes images of known and unknown length. They have the digest
// they would have as files.
func TestStream(t *testing.T) {
	t.Parallel()
	for name, want := range contents() {
		for _, declared := range []int{0, len(want)} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				size := max(len(want)+5<<20, target.MinSize)
				path := stale(t, size)
				r := streamer(t, feed(t, want), declared, path)
				var position, total int64
				r.Progress = func(p, n int64) { position, total = p, n }
				res, err := r.write(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !blank(t, path) {
					t.Error("the worker wrote an end of the disk")
				}
				if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
					t.Fatal(err)
				}
				compare(t, readDisk(t, path), behind(want, size))
				if got := blockDigest(want); res.Digest != got || res.ImageBytes != int64(len(want)) {
					t.Errorf("result %+v, want %d bytes with the digest %s", res, len(want), got)
				}
				if position != int64(len(want)) || total != int64(declared) {
					t.Errorf("the last progress is %d of %d, want %d of %d", position, total, len(want), declared)
				}
			})
		}
	}
}

func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		data []byte
		kind report.Kind
		want string
	}{
		{"empty", nil, report.Image, "it is empty; look at what the server sends"},
		{"gzip", append([]byte("\x1f\x8b\x08"), noise(1, 512*9)...), report.Image, "it is a gzip file, not a dump of a disk; decompress it first"},
		{"no whole sectors", noise(1, 512*9+1), report.Image, "no whole number of 512-byte sectors: 4609 bytes came"},
		{"endless", noise(1, 8<<20+512), report.Disk, "the disk is too small: it has 8388608 bytes and the image goes on; use a larger disk"},
	} {
		path := stale(t, 8<<20)
		_, err := streamer(t, feed(t, tc.data), 0, path).write(t.Context())
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s), want %q", tc.name, err, report.KindOf(err), tc.want)
		}
		if !blank(t, path) {
			t.Errorf("%s: the disk is bootable", tc.name)
		}
	}
}
