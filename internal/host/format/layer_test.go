package format

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
	"snf-image/tests/corpus"
)

// layered has real programs pack a disk: a script makes "out" of "disk.raw", and names
// the layers from outside to inside.
func layered() map[string]struct {
	script string
	layers []string
} {
	return map[string]struct {
		script string
		layers []string
	}{
		"gzip":                {"gzip -c disk.raw >out", []string{"gzip"}},
		"gzip, two members":   {"(head -c 1000 disk.raw | gzip; tail -c +1001 disk.raw | gzip) >out", []string{"gzip"}},
		"xz":                  {"xz -c disk.raw >out", []string{"xz"}},
		"xz, best":            {"xz -9e -c disk.raw >out", []string{"xz"}},
		"xz, blocks":          {"xz -T2 --block-size=100KiB -c disk.raw >out", []string{"xz"}},
		"xz, SHA-256 and x86": {"xz --check=sha256 --x86 --lzma2 -c disk.raw >out", []string{"xz"}},
		"xz, two streams":     {"(head -c 1000 disk.raw | xz; tail -c +1001 disk.raw | xz) >out", []string{"xz"}},
		"zstd":                {"zstd -q -c disk.raw >out", []string{"zstd"}},
		"zstd, long":          {"zstd -q --long=27 -c <disk.raw >out", []string{"zstd"}},
		"zstd, two frames":    {"(head -c 1000 disk.raw | zstd -q; tail -c +1001 disk.raw | zstd -q) >out", []string{"zstd"}},
		"bzip2":               {"bzip2 -c disk.raw >out", []string{"bzip2"}},
		"bzip2, two streams":  {"(head -c 1000 disk.raw | bzip2; tail -c +1001 disk.raw | bzip2) >out", []string{"bzip2"}},
		"lz4":                 {"lz4 -q -c disk.raw >out", []string{"lz4"}},
		"lz4, two frames":     {"(head -c 1000 disk.raw | lz4 -q; tail -c +1001 disk.raw | lz4 -q) >out", []string{"lz4"}},
		"tar":                 {"echo text >README; tar cf out README disk.raw", []string{"tar"}},
		"tar, GNU, sparse":    {"echo text >README; tar -S -H oldgnu -cf out disk.raw README", []string{"tar"}},
		"tar, pax, sparse":    {"tar -S -H pax -cf out disk.raw", []string{"tar"}},
		"tar in xz":           {"tar c disk.raw | xz >out", []string{"xz", "tar"}},
		"gzip in tar":         {"gzip disk.raw; tar cf out disk.raw.gz", []string{"tar", "gzip"}},
		"gzip beside a disk":  {"echo text | gzip >a.gz; tar cf out a.gz disk.raw a.gz", []string{"tar"}},
	}
}

// packed runs a script in a directory with the disk, and returns its out.
func packed(t testing.TB, disk []byte, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "disk.raw"), disk, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-ec", "set -o pipefail; "+script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return filepath.Join(dir, "out")
}

// diskBytes is a disk with a bit of everything, and more than smallDisk after gzip.
func diskBytes() []byte {
	disk := make([]byte, 3<<20+512)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(disk[1<<20 : 1<<20+3<<19])
	for i := range 1 << 18 {
		disk[i] = byte(i*i>>7 ^ i>>3)
	}
	return disk
}

func TestLayers(t *testing.T) {
	t.Parallel()
	want := diskBytes()
	for name, tc := range layered() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := packed(t, want, tc.script)
			for _, stream := range []bool{false, true} {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				s := Source{File: f}
				if stream {
					s = Source{Stream: struct{ io.Reader }{f}}
				}
				img, err := Open(spec.Auto, s)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.layers, img.Layers); diff != "" || img.Format != spec.Raw || img.Disk != nil {
					t.Errorf("%s in %v, want raw in %v", img.Format, img.Layers, tc.layers)
				}
				if img.Size != 0 && img.Size != int64(len(want)) {
					t.Errorf("size %d, want %d or nothing", img.Size, len(want))
				}
				got, err := io.ReadAll(img.Stream)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("stream %v: %d bytes differ from the disk of %d (%v)", stream, len(got), len(want), err)
				}
			}
		})
	}
}

// TestLayersCut: no layer that was cut somewhere is taken for whole.
func TestLayersCut(t *testing.T) {
	t.Parallel()
	for name, tc := range layered() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(packed(t, diskBytes(), tc.script))
			if err != nil {
				t.Fatal(err)
			}
			for _, cut := range []int{1, len(b) / 2} {
				if cut == 1 && tc.layers[0] == "tar" {
					cut = len(b) / 3 // behind the end of an archive there is padding
				}
				img, err := Open(spec.Auto, Source{Stream: bytes.NewReader(b[:len(b)-cut])})
				if err == nil {
					_, err = io.Copy(io.Discard, img.Stream)
				}
				if err == nil {
					t.Errorf("without its last %d bytes of %d it is whole", cut, len(b))
				}
			}
		})
	}
}

func TestLayersRefuse(t *testing.T) {
	t.Parallel()
	all := corpus.Packed()
	all["VMDK without a file"] = corpus.Script{Format: "auto", Text: "qemu-img convert -O vmdk disk.raw out.vmdk; xz -c out.vmdk >out", Class: corpus.Refused, Error: "a VMDK image has to be in a file"}
	all["qcow2 without a file"] = corpus.Script{Format: "auto", Text: "qemu-img convert -O qcow2 disk.raw a; gzip -c a >out", Class: corpus.Refused, Error: "has to be in a file"}
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(packed(t, diskBytes(), s.Text))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := Open(spec.Format(s.Format), Source{File: f})
			if err == nil && img.Stream != nil {
				_, err = io.Copy(io.Discard, img.Stream)
			}
			if err == nil || classes[s.Class] != nil && !errors.Is(err, classes[s.Class]) || !strings.Contains(err.Error(), s.Error) {
				t.Errorf("Open = %v, want %v with %q", err, classes[s.Class], s.Error)
			}
		})
	}
}

// TestSpool reads qcow2 from streams, within bounds.
func TestSpool(t *testing.T) {
	t.Parallel()
	want := diskBytes()
	b, err := os.ReadFile(packed(t, want, "qemu-img convert -c -O qcow2 disk.raw a; xz -c a >out"))
	if err != nil {
		t.Fatal(err)
	}
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	if _, err := Open(spec.Qcow2, Source{Stream: bytes.NewReader(b), Spool: spool, Largest: 1 << 20}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("for a disk of 1 MiB: %v, want %v", err, ErrTooLarge)
	}
	if st, err := spool.Stat(); err != nil || st.Size() != 0 {
		t.Errorf("what does not fit was unpacked (%v)", err)
	}
	img, err := Open(spec.Qcow2, Source{Stream: bytes.NewReader(b), Spool: spool, Largest: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, img.Disk); !bytes.Equal(got, want) {
		t.Error("the disk differs")
	}
	if img, err := Open(spec.Auto, Source{Stream: bytes.NewReader(b), Look: true}); err != nil || img.Size != int64(len(want)) || img.Format != spec.Qcow2 {
		t.Errorf("looking at it: %+v, %v", img, err)
	}
	tail := make([]byte, 200<<20)
	bomb := io.MultiReader(bytes.NewReader(qcow2Bytes(t)), bytes.NewReader(tail))
	if err := spool.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(spec.Qcow2, Source{Stream: bomb, Spool: spool}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "it goes on after") {
		t.Errorf("an endless image: %v", err)
	}
}

// FuzzLayers peels whatever comes.
func FuzzLayers(f *testing.F) {
	for _, seed := range []string{"\x1f\x8b\x08\x00", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd\x04", "BZh91AY&SY", "\x04\x22\x4d\x18", strings.Repeat("x", 257) + "ustar"} {
		f.Add([]byte(seed))
	}
	for _, script := range []string{
		"gzip -c disk.raw >out", "xz -c disk.raw >out", "zstd -q -c disk.raw >out", "bzip2 -1 -c disk.raw >out", "lz4 -q -c disk.raw >out",
		"tar cf out disk.raw", "tar -S -H pax -cf out disk.raw", "tar c disk.raw | xz >out", "gzip disk.raw; tar cf out disk.raw.gz",
	} {
		b, err := os.ReadFile(packed(f, bytes.Repeat([]byte("disk"), 256), script))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		img, err := Open(spec.Auto, Source{Stream: bytes.NewReader(b)})
		if err == nil && img.Stream != nil {
			_, _ = io.CopyN(io.Discard, img.Stream, 4<<20)
		}
	})
}
