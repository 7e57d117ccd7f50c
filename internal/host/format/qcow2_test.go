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
	path := filepath.Join(t.TempDir(), "image")
	raw := make([]byte, 4<<20)
	copy(raw[1<<20:], bytes.Repeat([]byte("data"), 1000))
	copy(raw[3<<20:], bytes.Repeat([]byte("more"), 1000))
	if err := os.WriteFile(path+".raw", raw, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, args...), path+".raw", path)...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opened opens bytes as a qcow2 image and reads all of it.
func opened(t testing.TB, b []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := Open(spec.Qcow2, Source{File: f})
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for e, err := range img.Disk.Extents() {
		if err != nil {
			return err
		}
		for off := e.Offset; off < e.Offset+e.Length && !e.Zero; off += int64(len(buf)) {
			p := buf[:min(int64(len(buf)), e.Offset+e.Length-off)]
			if _, err := img.Disk.ReadAt(p, off); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestQcow2Refuses(t *testing.T) {
	t.Parallel()
	be := binary.BigEndian
	const l1, l2 = 0x30000, 0x40000 // where qemu-img puts the tables
	for name, tc := range map[string]struct {
		harm func(b []byte) []byte
		kind error
		want string
	}{
		"version":                {func(b []byte) []byte { be.PutUint32(b[4:], 4); return b }, ErrRefused, "version 4"},
		"backing file":           {func(b []byte) []byte { be.PutUint64(b[8:], 0x200); be.PutUint32(b[16:], 9); return b }, ErrRefused, "backing file"},
		"encryption":             {func(b []byte) []byte { be.PutUint32(b[32:], 2); return b }, ErrRefused, "encrypted"},
		"external data file":     {func(b []byte) []byte { be.PutUint64(b[72:], bitDataFile); return b }, ErrRefused, "external data file"},
		"corrupt":                {func(b []byte) []byte { be.PutUint64(b[72:], bitCorrupt); return b }, ErrDamaged, "marked as corrupt"},
		"unknown feature":        {func(b []byte) []byte { be.PutUint64(b[72:], 1<<40); return b }, ErrRefused, "0x10000000000"},
		"unknown compression":    {func(b []byte) []byte { be.PutUint64(b[72:], bitCompression); b[104] = 7; return b }, ErrRefused, "unknown method"},
		"tiny clusters":          {func(b []byte) []byte { be.PutUint32(b[20:], 8); return b }, ErrDamaged, "2^8"},
		"giant clusters":         {func(b []byte) []byte { be.PutUint32(b[20:], 0xffffffff); return b }, ErrDamaged, "2^4294967295"},
		"absurd size":            {func(b []byte) []byte { be.PutUint64(b[24:], 1<<63); return b }, ErrRefused, "a disk of"},
		"no size":                {func(b []byte) []byte { be.PutUint64(b[24:], 0); return b }, ErrRefused, "a disk of 0"},
		"odd size":               {func(b []byte) []byte { be.PutUint64(b[24:], 4<<20-1); return b }, ErrOdd, "too many"},
		"L1 too short":           {func(b []byte) []byte { be.PutUint64(b[24:], 1<<40); return b }, ErrDamaged, "does not reach"},
		"L1 absurd":              {func(b []byte) []byte { be.PutUint32(b[36:], 1<<31); return b }, ErrRefused, "first-level table of"},
		"L1 outside":             {func(b []byte) []byte { be.PutUint64(b[40:], 1<<30); return b }, ErrDamaged, "outside of the file"},
		"L1 unaligned":           {func(b []byte) []byte { be.PutUint64(b[40:], l1+8); return b }, ErrDamaged, "first-level table is at"},
		"L1 is the header":       {func(b []byte) []byte { be.PutUint64(b[40:], 0); return b }, ErrDamaged, "overlaps"},
		"refcounts outside":      {func(b []byte) []byte { be.PutUint32(b[56:], 1<<20); return b }, ErrDamaged, "outside of the file"},
		"snapshots absurd":       {func(b []byte) []byte { be.PutUint32(b[60:], 1<<30); return b }, ErrRefused, "snapshots"},
		"snapshots outside":      {func(b []byte) []byte { be.PutUint32(b[60:], 1); be.PutUint64(b[64:], 1<<30); return b }, ErrDamaged, "snapshots at"},
		"header too long":        {func(b []byte) []byte { be.PutUint32(b[100:], 1<<20); return b }, ErrDamaged, "header of"},
		"L1 entry reserved bits": {func(b []byte) []byte { b[l1+7] |= 1; return b }, ErrDamaged, "first-level table is"},
		"L2 outside":             {func(b []byte) []byte { be.PutUint64(b[l1:], 1<<63|1<<30); return b }, ErrDamaged, "second-level table at"},
		"L2 is the L1":           {func(b []byte) []byte { be.PutUint64(b[l1:], 1<<63|l1); return b }, ErrDamaged, "overlaps"},
		"L2 entry reserved bits": {func(b []byte) []byte { b[l2+16*8+7] |= 2; return b }, ErrDamaged, "second-level entry"},
		"cluster outside":        {func(b []byte) []byte { be.PutUint64(b[l2:], 1<<63|1<<40); return b }, ErrDamaged, "outside of the file"},
		"cluster unaligned":      {func(b []byte) []byte { be.PutUint64(b[l2:], 1<<63|0x50200); return b }, ErrDamaged, "second-level entry"},
		"cluster is the header":  {func(b []byte) []byte { copy(b[l2:], b[l2+16*8:][:8]); return b }, ErrDamaged, "overlaps"},
		"truncated":              {func(b []byte) []byte { return b[:len(b)-0x10000] }, ErrDamaged, "outside of the file"},
		"header only":            {func(b []byte) []byte { return b[:80] }, ErrDamaged, "incomplete"},
		"magic only":             {func(b []byte) []byte { return b[:4] }, ErrDamaged, "incomplete"},
		"not qcow2":              {func(b []byte) []byte { return make([]byte, 512) }, ErrRefused, "not a qcow2 image"},
		"another format":         {func(b []byte) []byte { return append([]byte("KDMV"), make([]byte, 508)...) }, ErrRefused, "it is a VMDK image"},
		"two formats":            {func(b []byte) []byte { copy(b[257:], "ustar"); return b }, nil, "both a qcow2 image and a tar archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := qcow2Bytes(t)
			if err := opened(t, b); err != nil {
				t.Fatalf("the sound image: %v", err)
			}
			err := opened(t, tc.harm(b))
			if err == nil || tc.kind != nil && !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open = %v, want %v with %q", err, tc.kind, tc.want)
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

// FuzzQcow2 opens and reads what looks like an image: it ends, in bounds, without reading
// outside of the disk.
func FuzzQcow2(f *testing.F) {
	for _, args := range [][]string{{"-c", "-o", "cluster_size=512"}, {"-o", "extended_l2=on,cluster_size=16K"}, {"-o", "cluster_size=512"}} {
		f.Add(qcow2Bytes(f, args...)) // small ones
	}
	f.Fuzz(func(t *testing.T, b []byte) { _ = opened(t, b) })
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
