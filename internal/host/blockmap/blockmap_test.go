package blockmap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/corpus"
	"snf-image/tests/vmdk"
)

// kind is a format as the tests take it: how a sound image is made and opened.
type kind struct {
	corpus.Kind
	open func(*os.File) (*Image, error)
	// sealed are the places that Seal changes.
	sealed [][2]int
	// fields are where headers and tables lie, each looked at word for word.
	fields [][2]int
}

func kinds() map[string]*kind {
	all := map[string]*kind{
		"vmdk":   {open: OpenVMDK, fields: [][2]int{{0, 80}, {0x200 + 20, 0x200 + 120}, {21 * 512, 21*512 + 16}, {22 * 512, 22*512 + 256}}},
		"packed": {open: OpenVMDK, fields: [][2]int{{0, 80}, {128 * 512, 128*512 + 16}}},
		"vdi":    {open: OpenVDI, fields: [][2]int{{0x40, 0x1d0}, {0x200, 0x220}}},
		"vhd":    {open: OpenVHD, sealed: [][2]int{{0, 2048}}, fields: [][2]int{{0, 96}, {512, 512 + 64}, {0x600, 0x620}}},
		"vhdx":   {open: OpenVHDX, sealed: vhdxSealed, fields: vhdxFields},
	}
	for name, k := range all {
		k.Kind = corpus.Kinds()[name]
	}
	return all
}

// vhdxFields: QEMU puts the table of blocks at 2 MiB, the metadata at 3 MiB.
var vhdxFields = [][2]int{
	{0, 16},
	{64 << 10, 64<<10 + 80},
	{128 << 10, 128<<10 + 80},
	{192 << 10, 192<<10 + 80},
	{2 << 20, 2<<20 + 40},
	{3 << 20, 3<<20 + 224},
	{3<<20 + 64<<10, 3<<20 + 64<<10 + 48},
}

// vhdxSealed: two headers and two tables, which begin with their checksum.
var vhdxSealed = [][2]int{{64 << 10, 64<<10 + 8}, {128 << 10, 128<<10 + 8}, {192 << 10, 192<<10 + 8}, {256 << 10, 256<<10 + 8}}

// disk opens bytes as an image and returns the disk in it.
func (k *kind) disk(t testing.TB, b []byte) ([]byte, error) {
	t.Helper()
	m, err := k.open(corpus.File(t, b))
	if err != nil {
		return nil, err
	}
	if m.Size() > 64<<20 {
		t.Fatalf("a disk of %d bytes", m.Size())
	}
	all := make([]byte, m.Size())
	return all, scan(m, func(p []byte, at int64) { copy(all[at:], p) })
}

// scan reads the data of a disk, and of each extent at most 8 MiB, piece by piece.
func scan(m *Image, each func(p []byte, at int64)) error {
	buf := make([]byte, 64<<10)
	for e, err := range m.Extents() {
		if err != nil {
			return err
		}
		for in := int64(0); in < min(e.Length, 8<<20) && !e.Zero; in += int64(len(buf)) {
			p := buf[:min(int64(len(buf)), e.Length-in)]
			if _, err := m.ReadAt(p, e.Offset+in); err != nil {
				return err
			}
			each(p, e.Offset+in)
		}
	}
	return nil
}

// TestHostile puts 0, 1, some and all bits into every field of the headers and tables, and
// makes entries of tables equal to their neighbours: each is refused or read, in bounds.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			sound := k.Bytes(t)
			if got, err := k.disk(t, sound); err != nil || !bytes.Equal(got, corpus.Sample()) {
				t.Fatalf("the sound image is read as %d bytes (%v)", len(got), err)
			}
			h := newHostile(t, k, sound)
			refused := 0
			for _, field := range k.fields {
				for at := field[0]; at < field[1]; at += 4 {
					neighbours := []string{string(sound[at+4 : at+8]), string(sound[max(at-4, 0):][:4])}
					for i, value := range append(neighbours, "\x00\x00\x00\x00", "\x01\x00\x00\x00", "\x00\x00\x00\x01", "\xff\xff\xff\xff", "\xff\xff\xff\x7f", "\x00\x10\x00\x00") {
						if err := h.try(t, at, value, i != 2); err != nil {
							refused++
						}
					}
				}
			}
			if refused < 50 {
				t.Errorf("only %d of the images were refused", refused)
			}
		})
	}
}

// hostile is a file with an image in which one field after the other is changed.
type hostile struct {
	kind    *kind
	file    *os.File
	sound   []byte
	changed []byte
}

func newHostile(t testing.TB, k *kind, sound []byte) *hostile {
	t.Helper()
	return &hostile{k, corpus.File(t, sound), sound, bytes.Clone(sound)}
}

// try reads the image with another value at a place, and puts it right again.
func (h *hostile) try(t testing.TB, at int, value string, seal bool) error {
	t.Helper()
	copy(h.changed[at:], value)
	return h.read(t, append([][2]int{{at, at + len(value)}}, h.kind.sealed...), seal)
}

// read reads the image as it has been changed at places, and puts them right again.
func (h *hostile) read(t testing.TB, places [][2]int, seal bool) error {
	t.Helper()
	if h.kind.Seal != nil && seal {
		h.kind.Seal(h.changed)
	}
	places = append(places, [2]int{len(h.sound) - sector, len(h.sound)})
	h.write(t, h.changed, places)
	err := bounded(t, func() error {
		m, err := h.kind.open(h.file)
		if err != nil {
			return err
		}
		return scan(m, func([]byte, int64) {})
	})
	for _, r := range places {
		copy(h.changed[r[0]:r[1]], h.sound[r[0]:r[1]])
	}
	h.write(t, h.sound, places)
	return err
}

func (h *hostile) write(t testing.TB, b []byte, places [][2]int) {
	t.Helper()
	for _, r := range places {
		if _, err := h.file.WriteAt(b[r[0]:r[1]], int64(r[0])); err != nil {
			t.Fatal(err)
		}
	}
}

// bounded has an image read, and returns what is wrong with it, which must be said by
// one of the package's errors. It must not take more memory than is in proportion.
func bounded(t testing.TB, read func() error) error {
	t.Helper()
	taken := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(taken)
	before := taken[0].Value.Uint64()
	err := read()
	metrics.Read(taken)
	if n := taken[0].Value.Uint64() - before; n > 128<<20 {
		t.Errorf("it takes %d bytes (%v)", n, err)
	}
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrTruncated) {
		t.Errorf("%v, want one of the errors of an image", err)
	}
	return err
}

// TestTruncated: no image that was cut is taken for whole.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			b := k.Bytes(t)
			for _, n := range []int{0, 4, 511, 512, 700, 4096, len(b) / 2, len(b) - 4096} {
				if _, err := k.disk(t, b[:n]); err == nil {
					t.Errorf("%d bytes of %d are taken for whole", n, len(b))
				}
			}
		})
	}
}

// TestStream reads a stream, whole and cut at every sector.
func TestStream(t *testing.T) {
	t.Parallel()
	b := vmdk.StreamOptimized(corpus.Sample())
	got, err := io.ReadAll(StreamVMDK(bytes.NewReader(b)))
	if err != nil || !bytes.Equal(got, corpus.Sample()) {
		t.Fatalf("the sound image is read as %d bytes (%v)", len(got), err)
	}
	for n := 0; n < len(b); n += 256 {
		if _, err := io.ReadAll(StreamVMDK(bytes.NewReader(b[:n]))); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes of %d: %v, want %v", n, len(b), err, ErrTruncated)
		}
	}
	if _, err := io.ReadAll(StreamVMDK(bytes.NewReader(append(b, "more"...)))); !errors.Is(err, ErrRefused) {
		t.Errorf("with something behind its end: %v", err)
	}
}

// TestSparse opens disks of many sizes that hold next to nothing: the work is in proportion
// to the data.
func TestSparse(t *testing.T) {
	t.Parallel()
	for driver, open := range map[string]func(*os.File) (*Image, error){"vmdk": OpenVMDK, "vdi": OpenVDI, "vhdx": OpenVHDX} {
		path := filepath.Join(t.TempDir(), "image")
		if out, err := exec.Command("qemu-img", "create", "-q", "-f", driver, path, "1T").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := open(f)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range m.Extents() {
			if n++; err != nil || !e.Zero {
				t.Errorf("%s: %+v (%v)", driver, e, err)
			}
		}
		if n != 1 || m.Size() != 1<<40 {
			t.Errorf("%s: %d extents of %d bytes, want one", driver, n, m.Size())
		}
	}
}

// fuzz changes the headers and tables of a sound image alone: they are far apart.
func fuzz(f *testing.F, name string) {
	k := kinds()[name]
	sound := k.Bytes(f)
	h := newHostile(f, k, sound)
	var all []byte
	for _, field := range k.fields {
		all = append(all, sound[field[0]:field[1]]...)
	}
	f.Add(all)
	for at := 0; at < len(all); at += 16 {
		other := bytes.Clone(all)
		copy(other[at:], "\xff\xff\xff\xff")
		f.Add(other)
	}
	f.Fuzz(func(t *testing.T, fields []byte) {
		for _, field := range k.fields {
			fields = fields[copy(h.changed[field[0]:field[1]], fields):]
		}
		_ = h.read(t, append(slices.Clone(k.fields), k.sealed...), true)
	})
}

func FuzzVMDK(f *testing.F)   { fuzz(f, "vmdk") }
func FuzzPacked(f *testing.F) { fuzz(f, "packed") }
func FuzzVDI(f *testing.F)    { fuzz(f, "vdi") }
func FuzzVHD(f *testing.F)    { fuzz(f, "vhd") }
func FuzzVHDX(f *testing.F)   { fuzz(f, "vhdx") }

// FuzzStream changes the header of a stream, and all that is behind its descriptor.
func FuzzStream(f *testing.F) {
	const header, first = 80, 128 * sector
	sound := vmdk.StreamOptimized(corpus.Sample())
	rest := sound[first:]
	f.Add(sound[:header], rest)
	for at := 0; at+4 < len(rest); at += 32 {
		f.Add(sound[:header], append(rest[:at:at], append([]byte("\xff\xff\xff\xff"), rest[at+4:]...)...))
	}
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		b := append(bytes.Clone(sound[:first]), rest...)
		copy(b[:header], head)
		n, err := io.CopyN(io.Discard, StreamVMDK(bytes.NewReader(b)), 4<<20)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrTruncated) {
			t.Errorf("%v after %d bytes", err, n)
		}
	})
}

func FuzzDescriptor(f *testing.F) {
	f.Add("# Disk DescriptorFile\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW 8192 SPARSE \"a.vmdk\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if checkDescriptor([]byte(text), 8192*sector) == nil && !strings.Contains(text, " SPARSE") && !strings.Contains(text, "\tSPARSE") {
			t.Errorf("%q has no extent", text)
		}
	})
}
