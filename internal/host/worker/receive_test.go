package worker

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// streamer is a deployment of an image that comes as a stream.
func streamer(t *testing.T, stream *os.File, declared int, path string) rig {
	t.Helper()
	r := open(t, os.DevNull, path)
	r.From, r.Stream, r.Stored = stream, true, int64(declared)
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
				r.Progress = func(p Progress) { position, total = p.Position, p.Total }
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
		{"empty", nil, report.Image, "it is empty; fetch or make the image again, and look at what sends it"},
		{"not gzip", append([]byte("\x1f\x8b\x08"), noise(1, 512*9)...), report.Image, "unpacking gzip: "},
		{"odd length", noise(1, 512*9+1), report.Image, "it is not a whole number of 512-byte sectors: 4609 bytes, 1 too many"},
		{"endless", noise(1, 8<<20+512), report.Disk, "the disk is too small: it has 8388608 bytes and the image goes on; use a larger disk"},
	} {
		path := stale(t, 8<<20)
		_, err := streamer(t, feed(t, tc.data), 0, path).write(t.Context())
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s), want %q", tc.name, err, report.KindOf(err), tc.want)
		}
		early := tc.name == "not gzip" || tc.name == "empty"
		if untouched := bytes.HasPrefix(readDisk(t, path), []byte("stale!! ")); untouched != early || !untouched && !blank(t, path) {
			t.Errorf("%s: the disk is bootable", tc.name)
		}
	}
	r := streamer(t, feed(t, []byte("\x1f\x8b\x08"+strings.Repeat("x", 512))), 0, stale(t, 8<<20))
	r.Format = spec.DiskDump
	if _, err := r.write(t.Context()); report.KindOf(err) != report.Image || !strings.Contains(err.Error(), "it is a gzip file, not a dump of a disk; give the format raw") {
		t.Errorf("gzip as diskdump: %v", err)
	}
}

// TestStreamWrongFromTheStart: what is wrong before the end of the first sector is found by whoever
// looks for a partition table in it, and is not lost.
func TestStreamWrongFromTheStart(t *testing.T) {
	t.Parallel()
	path := stale(t, 8<<20)
	r := streamer(t, feed(t, noise(1, 700)), 0, path)
	r.Format = spec.VHD
	if _, err := r.write(t.Context()); report.KindOf(err) != report.Image || !strings.Contains(err.Error(), "it is not a VHD image") {
		t.Errorf("something else as vhd: %v", err)
	}
	if !bytes.HasPrefix(readDisk(t, path), []byte("stale!! ")) {
		t.Error("the disk was changed")
	}
}

// TestStreamTooLarge: what is announced to be larger than the disk is refused for that, whatever
// comes then.
func TestStreamTooLarge(t *testing.T) {
	t.Parallel()
	path := stale(t, 8<<20)
	r := streamer(t, feed(t, nil), 16<<20, path)
	r.Format = spec.DiskDump
	if _, err := r.write(t.Context()); report.KindOf(err) != report.Disk {
		t.Errorf("16 MiB for a disk of 8: %v (%s)", err, report.KindOf(err))
	}
	if !bytes.HasPrefix(readDisk(t, path), []byte("stale!! ")) {
		t.Error("the disk was changed")
	}
}

// compressed returns b as gzip stores it.
func compressed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestLayers writes a compressed image from a file and from a stream. It has the digest
// that its disk has.
func TestLayers(t *testing.T) {
	t.Parallel()
	want := contents()["odd sectors"]
	packed := compressed(t, want)
	for _, stream := range []bool{false, true} {
		path := stale(t, 12<<20)
		image := writeSparse(t, packed)
		r := open(t, image, path)
		if stream {
			r.From, r.Stream = feed(t, packed), true
		}
		r.Format = spec.Auto
		var geometry Geometry
		r.Geometry = func(g Geometry) error {
			geometry = g
			if !bytes.HasPrefix(readDisk(t, path), []byte("stale!! ")) {
				t.Error("the disk was written before the geometry was known")
			}
			return nil
		}
		res, err := r.write(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
			t.Fatal(err)
		}
		compare(t, readDisk(t, path), behind(want, 12<<20))
		if diff := cmp.Diff(Geometry{Format: spec.Raw, Layers: []string{"gzip"}}, geometry); diff != "" {
			t.Errorf("geometry (-want +got):\n%s", diff)
		}
		if res.Digest != blockDigest(want) {
			t.Errorf("digest of the disk: %s", res.Digest)
		}
	}
}

// TestGate: whoever does not like the geometry of an image keeps the disk as it was.
func TestGate(t *testing.T) {
	t.Parallel()
	refusal := errors.New("not this one")
	path := stale(t, 8<<20)
	r := open(t, writeSparse(t, noise(3, 5<<20)), path)
	r.Geometry = func(g Geometry) error {
		if g.DiskBytes != 5<<20 || g.Format != spec.Raw || len(g.Layers) != 0 {
			t.Errorf("geometry %+v", g)
		}
		return refusal
	}
	if _, err := r.write(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("Wait = %v, want %v", err, refusal)
	}
	if b := readDisk(t, path); !bytes.Equal(b, bytes.Repeat([]byte("stale!! "), 1<<20)) {
		t.Error("the disk was changed")
	}
	g, err := LookAt(t.Context(), Job{Format: spec.Auto, From: r.From, Stored: r.Stored})
	if err != nil || g.DiskBytes != 5<<20 || g.Format != spec.Raw || g.MBR {
		t.Errorf("LookAt = %+v, %v", g, err)
	}
}

// TestLookFindsMBR looks at disks with each table, also packed.
func TestLookFindsMBR(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disk []byte
		want bool
	}{"MBR": {partitioned(t, 20*mib, mbr), true}, "GPT": {partitioned(t, 20*mib, gpt), false}, "none": {noise(4, 5<<20), false}} {
		plain := writeSparse(t, c.disk)
		for _, path := range []string{plain, packed(t, plain)} {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			size, err := f.Seek(0, io.SeekEnd)
			if err != nil {
				t.Fatal(err)
			}
			g, err := LookAt(t.Context(), Job{Format: spec.Auto, From: f, Stored: size})
			if err != nil || g.MBR != c.want {
				t.Errorf("%s in %s: LookAt = %+v, %v, want MBR %v", name, path, g, err, c.want)
			}
		}
	}
}

// packed compresses a file beside it.
func packed(t *testing.T, path string) string {
	t.Helper()
	if out, err := exec.Command("gzip", "-1", "-k", path).CombinedOutput(); err != nil {
		t.Fatalf("gzip: %v\n%s", err, out)
	}
	return path + ".gz"
}
