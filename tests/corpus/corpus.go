// Package corpus has disk images that are sound, and others with one thing wrong that makes
// them refused. qemu-img makes the sound ones.
package corpus

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/tests/require"
	"snf-image/tests/vmdk"
)

const sector = 512

// Kind is a format as one program writes it.
type Kind struct {
	Name   string
	Format string   // as img_format names it
	args   []string // of qemu-img convert; nil for what that does not write
	// Seal makes an image sound again where its checksums are; nil for none.
	Seal func(b []byte)
}

// Kinds returns all by name.
func Kinds() map[string]Kind {
	all := map[string]Kind{}
	for _, k := range []Kind{
		{"vmdk", "vmdk", []string{"vmdk"}, nil},
		{"packed", "vmdk", nil, nil},
		{"vdi", "vdi", []string{"vdi"}, nil},
		{"vhd", "vhd", []string{"vpc", "-o", "force_size=on"}, sealVHD},
		{"vhdx", "vhdx", []string{"vhdx", "-o", "block_size=1M"}, sealVHDX},
		{"qcow2", "qcow2", []string{"qcow2"}, nil},
	} {
		all[k.Name] = k
	}
	return all
}

// Sample is the disk in every sound image: 4 MiB with two pieces of data.
func Sample() []byte {
	disk := make([]byte, 4<<20)
	copy(disk[1<<20:], bytes.Repeat([]byte("data"), 1000))
	copy(disk[3<<20:], bytes.Repeat([]byte("more"), 1000))
	return disk
}

// Bytes returns a sound image. Options go to qemu-img.
func (k Kind) Bytes(t testing.TB, options ...string) []byte {
	t.Helper()
	if k.args == nil {
		return vmdk.StreamOptimized(Sample())
	}
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path+".raw", Sample(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"qemu-img", "convert", "-f", "raw", "-O"}, k.args...)
	require.Run(t, "", append(append(args, options...), path+".raw", path)...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// File returns a file in memory that holds b.
func File(t testing.TB, b []byte) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "image")
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

// sealVHD gives headers the checksums they need, at both ends.
func sealVHD(b []byte) {
	if len(b) < 2048 {
		return
	}
	for _, h := range []struct{ at, n, sum int }{{0, sector, 64}, {sector, 1024, 36}} {
		head, sum := b[h.at:h.at+h.n], uint32(0)
		clear(head[h.sum : h.sum+4])
		for _, c := range head {
			sum += uint32(c)
		}
		be.PutUint32(head[h.sum:], ^sum)
	}
	copy(b[len(b)-sector:], b[:sector])
}

// sealVHDX gives headers and tables of regions the checksums they need.
func sealVHDX(b []byte) {
	for at, n := range map[int]int{64 << 10: 4 << 10, 128 << 10: 4 << 10, 192 << 10: 64 << 10, 256 << 10: 64 << 10} {
		if len(b) < at+n {
			return
		}
		clear(b[at+4 : at+8])
		le.PutUint32(b[at+4:], crc32.Checksum(b[at:at+n], crc32.MakeTable(crc32.Castagnoli)))
	}
}

var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// put32 and put64 make a change of one field.
func put32(order binary.ByteOrder, at int, n uint32) func([]byte) []byte {
	return in(func(b []byte) { order.PutUint32(b[at:], n) })
}

func put64(order binary.ByteOrder, at int, n uint64) func([]byte) []byte {
	return in(func(b []byte) { order.PutUint64(b[at:], n) })
}

// say replaces a word of the descriptor of a VMDK by one of the same length or shorter.
func say(old, text string) func([]byte) []byte {
	return in(func(b []byte) {
		at := bytes.Index(b, []byte(old))
		copy(b[at:], text+strings.Repeat(" ", len(old)-len(text)))
	})
}

func both(first, second func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte { return second(first(b)) }
}

// in makes a change in place.
func in(change func([]byte)) func([]byte) []byte {
	return func(b []byte) []byte { change(b); return b }
}
