package format

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
	"snf-image/tests/require"
	"snf-image/tests/vmdk"
)

// subformats are the formats with tables, in every way that qemu-img writes them.
func subformats() map[string]struct {
	format spec.Format
	driver string // the name that QEMU has for it
	args   []string
} {
	return map[string]struct {
		format spec.Format
		driver string
		args   []string
	}{
		"vmdk":                   {spec.VMDK, "vmdk", nil},
		"vmdk, zeroed grains":    {spec.VMDK, "vmdk", []string{"-o", "zeroed_grain=on"}},
		"vmdk, ESX":              {spec.VMDK, "vmdk", []string{"-o", "adapter_type=lsilogic,hwversion=6"}},
		"vmdk, stream optimized": {spec.VMDK, "vmdk", []string{"-o", "subformat=streamOptimized"}},
		"vdi":                    {spec.VDI, "vdi", nil},
		"vdi, static":            {spec.VDI, "vdi", []string{"-o", "static=on"}},
		"vhd, dynamic":           {spec.VHD, "vpc", []string{"-o", "force_size=on"}},
		"vhd, fixed":             {spec.VHD, "vpc", []string{"-o", "subformat=fixed,force_size=on"}},
		"vhd, geometry":          {spec.VHD, "vpc", nil},
		"vhd, fixed, geometry":   {spec.VHD, "vpc", []string{"-o", "subformat=fixed"}},
		"vhdx":                   {spec.VHDX, "vhdx", nil},
		"vhdx, fixed":            {spec.VHDX, "vhdx", []string{"-o", "subformat=fixed"}},
		"vhdx, smallest blocks":  {spec.VHDX, "vhdx", []string{"-o", "block_size=1M"}},
		"vhdx, largest blocks":   {spec.VHDX, "vhdx", []string{"-o", "block_size=64M"}},
		"vhdx, states not zero":  {spec.VHDX, "vhdx", []string{"-o", "block_state_zero=off"}},
	}
}

// TestMapped compares every subformat with what qemu-img reads, for disks of many shapes.
func TestMapped(t *testing.T) {
	t.Parallel()
	for name, s := range subformats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for shape, disk := range disks() {
				path := filepath.Join(t.TempDir(), "image")
				encodeRaw(t, path+".raw", disk)
				tool(t, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", s.driver}, s.args...), path+".raw", path)...)
				t.Run(shape, func(t *testing.T) { same(t, s.format, s.driver, path) })
			}
		})
	}
}

// TestExported reads a stream-optimized VMDK as export makes it.
func TestExported(t *testing.T) {
	t.Parallel()
	all := disks()
	all["several tables"] = make([]byte, 100<<20)
	copy(all["several tables"][70<<20:], "data")
	for shape, disk := range all {
		path := filepath.Join(t.TempDir(), "image")
		encodeDense(t, path, vmdk.StreamOptimized(disk))
		t.Run(shape, func(t *testing.T) { same(t, spec.VMDK, "vmdk", path) })
	}
}

// TestMappedInLayers finds every format inside every layer, by its bytes alone.
func TestMappedInLayers(t *testing.T) {
	t.Parallel()
	want := diskBytes()
	dir := t.TempDir()
	encodeRaw(t, filepath.Join(dir, "disk.raw"), want)
	encodeDense(t, filepath.Join(dir, "exported.vmdk"), vmdk.StreamOptimized(want))
	tool(t, "bash", "-ec", `cd "$0"
		for f in vmdk vdi vhdx; do qemu-img convert -f raw -O $f disk.raw disk.$f; done
		qemu-img convert -f raw -O vpc -o force_size=on disk.raw disk.vhd
		echo '<Envelope/>' >disk.ovf; echo 'SHA256(disk)= 00' >disk.mf`, dir)
	for _, image := range []string{"exported.vmdk", "disk.vmdk", "disk.vdi", "disk.vhdx", "disk.vhd"} {
		for script, layers := range map[string][]string{
			"cat $0": nil, "gzip -1 -c $0": {"gzip"}, "xz -0 -c $0": {"xz"}, "zstd -q -c $0": {"zstd"}, "bzip2 -1 -c $0": {"bzip2"}, "lz4 -q -c $0": {"lz4"},
			"tar c disk.ovf disk.mf $0": {"tar"}, "tar cz disk.ovf $0 disk.mf": {"gzip", "tar"},
		} {
			t.Run(script+" of "+image, func(t *testing.T) {
				t.Parallel()
				out := filepath.Join(t.TempDir(), "out")
				tool(t, "bash", "-ec", `cd "$1"; set -- "$2" "$3" "$4"; bash -ec "$2" "$1" >"$3"`, "bash", dir, image, script, out)
				f, err := os.Open(out)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				sameLayers(t, f, layers, image, want)
			})
		}
	}
}

// sameLayers reads the image in f as whatever it is.
func sameLayers(t *testing.T, f *os.File, layers []string, image string, want []byte) {
	t.Helper()
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	img, err := Open(spec.Auto, Source{File: f, Spool: spool, Largest: int64(len(want))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(layers, img.Layers); diff != "" || "."+string(img.Format) != filepath.Ext(image) || img.Size != int64(len(want)) {
		t.Errorf("%s of %d bytes in %v", img.Format, img.Size, img.Layers)
	}
	var got []byte
	if img.Disk != nil {
		got = decode(t, img.Disk)
	} else if got, err = io.ReadAll(img.Stream); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the disk differs")
	}
	if st, err := spool.Stat(); err != nil || (st.Size() > 0) != (len(layers) > 0 && image != "exported.vmdk") {
		t.Errorf("%d bytes were unpacked to a file (%v)", st.Size(), err)
	}
}

// same compares the image at path, read in several ways, with what qemu-img reads.
func same(t *testing.T, name spec.Format, driver, path string) {
	t.Helper()
	tool(t, "qemu-img", "convert", "-f", driver, "-O", "raw", path, path+".out")
	want, err := os.ReadFile(path + ".out")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := Open(name, Source{File: f, Largest: int64(len(want))})
	if err != nil {
		t.Fatal(err)
	}
	if img.Format != name || img.Size != int64(len(want)) {
		t.Fatalf("%s of %d bytes, want %s of %d", img.Format, img.Size, name, len(want))
	}
	if got := decode(t, img.Disk); !bytes.Equal(got, want) {
		t.Error("the disk differs from what qemu-img reads")
	}
	r := rand.New(rand.NewPCG(uint64(len(want)), 3))
	for range 50 { // and in any order
		off := r.Int64N(img.Size)
		p := make([]byte, r.Int64N(min(300_000, img.Size-off))+1)
		if _, err := img.Disk.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:off+int64(len(p))]) {
			t.Fatalf("%d bytes at %d differ (%v)", len(p), off, err)
		}
	}
	sameStream(t, name, f, want)
}

// sameStream reads the image in f as a stream.
func sameStream(t *testing.T, name spec.Format, f *os.File, want []byte) {
	t.Helper()
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	stream := func() io.Reader {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		return struct{ io.Reader }{f}
	}
	img, err := Open(name, Source{Stream: stream(), Spool: spool, Largest: int64(len(want))})
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	if img.Disk != nil {
		got = decode(t, img.Disk)
	} else if got, err = io.ReadAll(img.Stream); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the disk read from a stream differs")
	}
	seen, err := Open(name, Source{Stream: stream(), Look: true})
	if err != nil || seen.Size != int64(len(want)) && seen.Size != 0 || seen.Format != name {
		t.Errorf("looking at the stream: %+v, %v", seen, err)
	}
}

// TestMappedProperty makes images as virtual machines do, by many writes of any length.
func TestMappedProperty(t *testing.T) {
	t.Parallel()
	require.Tool(t, "qemu-io")
	for name, s := range subformats() {
		if name == "vmdk, stream optimized" || name == "vhdx, largest blocks" { // which nobody writes to
			continue
		}
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, ", seed ", seed), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 11))
				path := filepath.Join(t.TempDir(), "image")
				size := (2<<20 + r.Int64N(16<<20)) / 512 * 512
				tool(t, "qemu-img", append(append([]string{"create", "-q", "-f", s.driver}, s.args...), path, fmt.Sprint(size))...)
				args := []string{"-f", s.driver}
				for range 40 {
					off := r.Int64N(size/512) * 512
					n := min(size-off, (1+r.Int64N(1+r.Int64N(4096)))*512)
					command := fmt.Sprintf("write -P %d %d %d", 1+r.IntN(255), off, n)
					if r.IntN(5) == 0 {
						command = fmt.Sprintf("write -z %d %d", off, n)
					}
					args = append(args, "-c", command)
				}
				tool(t, "qemu-io", append(args, path)...)
				same(t, s.format, s.driver, path)
			})
		}
	}
}
