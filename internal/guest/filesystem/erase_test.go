package filesystem

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// formerly writes the signatures of what may have been on a device of size bytes before,
// as close to its ends and as far from them as they occur.
var formerly = map[string]func(size int64) map[int64][]byte{
	"zfs_member": func(size int64) map[int64][]byte {
		pieces := map[int64][]byte{}
		end := size &^ (256<<10 - 1)
		for _, label := range []int64{0, 256 << 10, end - 512<<10, end - 256<<10} {
			for i := range int64(32) {
				pieces[label+128<<10+i<<10] = []byte{0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0}
			}
		}
		return pieces
	},
	"linux_raid_member": func(size int64) map[int64][]byte { // metadata 0.90 and 1.0
		old, last := size&^(64<<10-1)-64<<10, size&^4095-8<<10
		first := make([]byte, 64)
		for at, v := range map[int]uint32{0: 0xa92b4efc, 8: 90, 32: uint32(size >> 10)} {
			binary.LittleEndian.PutUint32(first[at:], v)
		}
		second := make([]byte, 256)
		binary.LittleEndian.PutUint32(second, 0xa92b4efc)
		binary.LittleEndian.PutUint32(second[4:], 1)
		binary.LittleEndian.PutUint64(second[144:], uint64(last>>9))
		return map[int64][]byte{old: first, last: second}
	},
	"LVM2_member": func(int64) map[int64][]byte {
		return map[int64][]byte{512: []byte("LABELONE\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00LVM2 001")}
	},
	"promise_fasttrack_raid_member": func(size int64) map[int64][]byte {
		return map[int64][]byte{size - 3087*512: []byte("Promise Technology, Inc.")}
	},
	"crypto_LUKS": func(int64) map[int64][]byte {
		return map[int64][]byte{4 << 20: append([]byte("SKUL\xba\xbe\x00\x02"), make([]byte, 4096)...)}
	},
	"gpt": func(size int64) map[int64][]byte { return map[int64][]byte{size - 512: []byte("EFI PART")} },
}

// signatures returns the types wipefs finds on a file, sorted.
func signatures(t *testing.T, path string) []string {
	t.Helper()
	types := strings.Fields(run(t, "wipefs", "-n", "--noheadings", "-O", "TYPE", path))
	slices.Sort(types)
	return slices.Compact(types)
}

// plant writes all the signatures onto a file of size bytes that lie behind the first
// owned ones.
func plant(t *testing.T, path string, owned, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, pieces := range formerly {
		for at, b := range pieces(size) {
			if at < owned {
				continue
			}
			if _, err := f.WriteAt(b, at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEraseBehindFileSystem grows the device of a file system over what was a RAID, a
// pool and more.
func TestEraseBehindFileSystem(t *testing.T) {
	t.Parallel()
	const old, size = 16 << 20, 64 << 20
	path := file(t, 16, "mke2fs", "-q", "-t", "ext4")
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	plant(t, path, old, size)
	if got := signatures(t, path); len(got) < 4 {
		t.Fatalf("wipefs finds %q, want what was planted", got)
	}
	erase(t, path, Claim{0, old, size})
	if diff := cmp.Diff([]string{"ext4"}, signatures(t, path)); diff != "" {
		t.Errorf("wipefs (-want +got):\n%s", diff)
	}
	run(t, "e2fsck", "-f", "-n", path)
}

// TestMakeSwapErases makes swap space where all of the signatures are, on devices of
// which some are smaller than what is looked at.
func TestMakeSwapErases(t *testing.T) {
	t.Parallel()
	for _, mib := range []int64{6, 12, 64} {
		path := file(t, mib)
		plant(t, path, 0, mib<<20)
		if got := signatures(t, path); len(got) < 4 {
			t.Fatalf("%d MiB: wipefs finds %q, want what was planted", mib, got)
		}
		if err := MakeSwap(path, "0fc63daf-8483-4772-8e79-3d69d8477de5"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"swap"}, signatures(t, path)); diff != "" {
			t.Errorf("%d MiB: wipefs (-want +got):\n%s", mib, diff)
		}
	}
}

// TestEraseLeaves compares every byte: those that were owned before, and those in the
// middle, stay.
func TestEraseLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		claim Claim
		want  [][2]int64 // made zero
	}{
		{"grown", Claim{1 << 20, 4 << 20, 60 << 20}, [][2]int64{{4 << 20, 6 << 20}, {58 << 20, 60 << 20}}},
		{"grown far behind its start", Claim{0, 20 << 20, 60<<20 + 512}, [][2]int64{{58<<20 + 512, 60<<20 + 512}}},
		{"new", Claim{8 << 20, 8 << 20, 40 << 20}, [][2]int64{{8 << 20, 13 << 20}, {38 << 20, 40 << 20}}},
		{"small", Claim{8 << 20, 8 << 20, 14 << 20}, [][2]int64{{8 << 20, 14 << 20}}},
		{"nothing", Claim{0, 4 << 20, 4 << 20}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, 64)
			want := bytes.Repeat([]byte{0xa5}, 64<<20)
			if err := os.WriteFile(path, want, 0o600); err != nil {
				t.Fatal(err)
			}
			erase(t, path, tt.claim)
			for _, r := range tt.want {
				clear(want[r[0]:r[1]])
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("other bytes are zero than %v (%v)", tt.want, err)
			}
		})
	}
}

// counted counts what is written to it, and fails on demand.
type counted struct {
	*os.File
	writes int
	fail   error
}

func (c *counted) WriteAt(b []byte, at int64) (int, error) {
	c.writes++
	if c.fail != nil {
		return 0, c.fail
	}
	return c.File.WriteAt(b, at)
}

func TestEraseWritesNoZerosOverZeros(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile(file(t, 64), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &counted{File: f, fail: errors.New("it broke")}
	if err := Erase(c, Claim{End: 64 << 20}); err != nil || c.writes != 0 {
		t.Errorf("Erase = %v with %d writes, want none", err, c.writes)
	}
	if _, err := f.WriteAt([]byte{1}, 63<<20); err != nil {
		t.Fatal(err)
	}
	if err := Erase(c, Claim{End: 64 << 20}); !errors.Is(err, c.fail) {
		t.Errorf("Erase = %v, want %v", err, c.fail)
	}
}

func erase(t *testing.T, path string, c Claim) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Erase(f, c); err != nil {
		t.Fatal(err)
	}
}
