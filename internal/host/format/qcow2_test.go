package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/internal/spec"
	"snf-image/tests/corpus"
)

// tool runs a program, and fails the test where it fails.
func tool(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// qemuImg returns how qemu-img encodes a disk with these options.
func qemuImg(args ...string) func(t *testing.T, path string, disk []byte) {
	return func(t *testing.T, path string, disk []byte) {
		t.Helper()
		raw := path + ".raw"
		encodeRaw(t, raw, disk)
		tool(t, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, args...), raw, path)...)
	}
}

func TestQcow2(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"version 2":            {"-o", "compat=0.10"},
		"version 3":            {"-o", "compat=1.1"},
		"zlib":                 {"-c", "-o", "compression_type=zlib"},
		"zlib, version 2":      {"-c", "-o", "compat=0.10"},
		"zstd":                 {"-c", "-o", "compression_type=zstd"},
		"smallest clusters":    {"-o", "cluster_size=512"},
		"largest clusters":     {"-o", "cluster_size=2M"},
		"compressed, 512":      {"-c", "-o", "cluster_size=512"},
		"compressed, 2M":       {"-c", "-o", "cluster_size=2M,compression_type=zstd"},
		"extended L2":          {"-o", "extended_l2=on"},
		"extended L2, 16K":     {"-o", "extended_l2=on,cluster_size=16K"},
		"extended L2, 2M":      {"-o", "extended_l2=on,cluster_size=2M"},
		"preallocated":         {"-o", "preallocation=metadata"},
		"lazy reference count": {"-o", "lazy_refcounts=on,refcount_bits=1"},
	} {
		t.Run(name, func(t *testing.T) { suite{spec.Qcow2, qemuImg(args...)}.run(t) })
	}
}

// TestQcow2Property makes images as virtual machines do, by many writes, zeroes and
// discards of any length, and compares them with what qemu-img reads.
func TestQcow2Property(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			path := filepath.Join(t.TempDir(), "image")
			scribbled(t, r, path)
			tool(t, "qemu-img", "check", "-q", path)
			tool(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, path+".raw")
			want, err := os.ReadFile(path + ".raw")
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			img, err := Open(spec.Auto, Source{File: f})
			if err != nil {
				t.Fatal(err)
			}
			if img.Format != spec.Qcow2 || img.Size != int64(len(want)) {
				t.Fatalf("%s of %d bytes, want qcow2 of %d", img.Format, img.Size, len(want))
			}
			if got := decode(t, img.Disk); !bytes.Equal(got, want) {
				t.Error("the disk differs from what qemu-img reads")
			}
			for range 200 { // and in any order
				off := r.Int64N(img.Size)
				p := make([]byte, r.Int64N(min(300_000, img.Size-off))+1)
				if int64(len(p)) > img.Size-off {
					continue
				}
				if _, err := img.Disk.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:off+int64(len(p))]) {
					t.Fatalf("%d bytes at %d differ (%v)", len(p), off, err)
				}
			}
		})
	}
}

// scribbled makes a qcow2 image and writes to it.
func scribbled(t *testing.T, r *rand.Rand, path string) {
	t.Helper()
	bits := 9 + r.IntN(9)
	options := fmt.Sprintf("cluster_size=%d", 1<<bits)
	switch {
	case bits >= 14 && r.IntN(2) == 0:
		options += ",extended_l2=on"
	case r.IntN(4) == 0:
		options += ",compat=0.10"
	}
	if !strings.Contains(options, "0.10") && r.IntN(2) == 0 {
		options += ",compression_type=zstd"
	}
	size := (1 + r.Int64N(16<<20)) / 512 * 512
	size = max(size, 1<<20)
	tool(t, "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, fmt.Sprint(size))
	args := []string{"-f", "qcow2"}
	for n := range min(8, size>>bits/2) { // qemu-io compresses what is not there yet
		args = append(args, "-c", fmt.Sprintf("write -c -P %d %d %d", 1+r.IntN(255), (2*n+r.Int64N(2))<<bits, 1<<bits))
	}
	for range 60 {
		off := r.Int64N(size/512) * 512
		n := min(size-off, (1+r.Int64N(1+r.Int64N(512)))*512)
		command := fmt.Sprintf("write -P %d %d %d", 1+r.IntN(255), off, n)
		switch r.IntN(6) {
		case 0:
			command = fmt.Sprintf("write -z %d %d", off, n)
		case 1:
			command = fmt.Sprintf("write -z -u %d %d", off, n)
		case 2:
			command = fmt.Sprintf("discard %d %d", off, n)
		}
		args = append(args, "-c", command)
	}
	tool(t, "qemu-io", append(args, path)...)
}

// qcow2Bytes returns a sound image of 4 MiB: header, tables and one cluster of data.
func qcow2Bytes(t testing.TB, args ...string) []byte {
	t.Helper()
	return corpus.Kinds()["qcow2"].Bytes(t, args...)
}

// opened opens bytes as a qcow2 image and reads all of it.
func opened(t testing.TB, b []byte) error {
	t.Helper()
	return readQcow2(corpus.File(t, b), 1<<40)
}

// readQcow2 opens an image and reads at most so many bytes of it.
func readQcow2(f *os.File, most int64) error {
	img, err := Open(spec.Qcow2, Source{File: f})
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for e, err := range img.Disk.Extents() {
		if err != nil {
			return err
		}
		for off := e.Offset; off < e.Offset+e.Length && !e.Zero && most > 0; off += int64(len(buf)) {
			p := buf[:min(int64(len(buf)), e.Offset+e.Length-off)]
			if _, err := img.Disk.ReadAt(p, off); err != nil {
				return err
			}
			most -= int64(len(p))
		}
	}
	return nil
}

// classes are the errors of the corpus.
var classes = map[corpus.Class]error{
	corpus.Refused: ErrRefused, corpus.Damaged: ErrDamaged, corpus.Truncated: ErrTruncated,
	corpus.Odd: ErrOdd, corpus.Ambiguous: ErrAmbiguous, corpus.Empty: ErrEmpty,
}

func TestQcow2Refuses(t *testing.T) {
	t.Parallel()
	sound := qcow2Bytes(t)
	if err := opened(t, sound); err != nil {
		t.Fatalf("the sound image: %v", err)
	}
	for name, r := range corpus.Refusals() {
		if r.Kind != "qcow2" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := opened(t, r.Make(sound))
			if err == nil || classes[r.Class] != nil && !errors.Is(err, classes[r.Class]) || !strings.Contains(err.Error(), r.Text) {
				t.Errorf("Open = %v, want %v with %q", err, classes[r.Class], r.Text)
			}
		})
	}
}

// TestQcow2DamagedCluster reads compressed clusters with other bytes in them.
func TestQcow2DamagedCluster(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"zlib", "zstd"} {
		b := qcow2Bytes(t, "-c", "-o", "compression_type="+method)
		if err := opened(t, b); err != nil {
			t.Fatal(err)
		}
		for i := 0x50000; i < len(b); i++ {
			b[i] ^= 0x5a
		}
		if err := opened(t, b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want %v", method, err, ErrDamaged)
		}
	}
}

// TestQcow2EmptyTables opens an image with a hundred thousand tables that are holes of the
// file: the work is in proportion to what is in them.
func TestQcow2EmptyTables(t *testing.T) {
	t.Parallel()
	const tables, l1 = 100_000, 0x30000
	b := qcow2Bytes(t)[:l1]
	binary.BigEndian.PutUint64(b[24:], tables*(512<<20)) // the size of the disk
	binary.BigEndian.PutUint32(b[36:], tables)
	path := filepath.Join(t.TempDir(), "image")
	first := make([]byte, tables*8)
	for i := range uint64(tables) {
		binary.BigEndian.PutUint64(first[i*8:], 1<<63|(2<<20+i<<16))
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at, p := range map[int64][]byte{0: b, l1: first} {
		if _, err := f.WriteAt(p, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(2<<20 + tables<<16); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	img, err := Open(spec.Qcow2, Source{File: f})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range img.Disk.Extents() {
		if n++; err != nil || !e.Zero {
			t.Errorf("%+v (%v)", e, err)
		}
	}
	if took := time.Since(start); n != 1 || took > 5*time.Second {
		t.Errorf("%d extents after %v, want one at once", n, took)
	}
}
