package bootrecord

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// TestCodeIsItsSource assembles the boot code.
func TestCodeIsItsSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	object, binary := filepath.Join(dir, "mbr.o"), filepath.Join(dir, "mbr.bin")
	require.Run(t, "", "as", "--32", "-o", object, "code/mbr.asm")
	require.Run(t, "", "objcopy", "-O", "binary", "-j", ".text", object, binary)
	made, err := os.ReadFile(binary)
	if err != nil || !bytes.Equal(made, code) {
		t.Errorf("code/mbr.bin is not what code/mbr.asm makes: %d bytes, want %d (%v)", len(code), len(made), err)
	}
	if len(code) > 440 {
		t.Errorf("the boot code has %d bytes, of 440 before the disk's number", len(code))
	}
}

// ext4 makes a file system with mke2fs and returns its first bytes.
func ext4(t *testing.T, size string, options ...string) (path string, head []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dump")
	args := append([]string{"sh", "-c", `PATH=$PATH:/sbin:/usr/sbin; exec mke2fs -q -F "$@"`, "sh"}, options...)
	require.Run(t, "", append(args, path, size)...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head = make([]byte, Head)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	return path, head
}

// TestNew has sfdisk read the table, and file systems tell their size.
func TestNew(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, size  string
		options     []string
		bytes       int64
		more, count int64 // bytes of the dump behind the file system; sectors of the partition
	}{
		{"ext4", "20M", []string{"-t", "ext4", "-U", "01020304-0000-4000-8000-000000000000"}, 20 << 20, 0, 40960},
		{"ext2 of 1 KiB blocks", "2049", []string{"-t", "ext2", "-b", "1024"}, 2049 << 10, 0, 4098},
		{"with a rest", "20M", []string{"-t", "ext3"}, 20 << 20, 3584, 40967},
		{"64 bit", "3T", []string{"-t", "ext4", "-O", "64bit", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-N", "16", "-J", "size=4"}, 3 << 40, -(3<<40 - 1<<41 + 2<<20), 1<<32 - 4096},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, head := ext4(t, c.size, c.options...)
			before, need, err := New(head, c.bytes+c.more)
			if err != nil || need != c.bytes || len(before) != Size {
				t.Fatalf("New = %d bytes, %d, %v, want %d of a file system", len(before), need, err, c.bytes)
			}
			disk := filepath.Join(t.TempDir(), "disk")
			if err := errors.Join(os.WriteFile(disk, before, 0o600), os.Truncate(disk, Size+c.bytes+c.more)); err != nil {
				t.Fatal(err)
			}
			got := strings.Fields(require.Run(t, "", "sh", "-c", `PATH=$PATH:/sbin:/usr/sbin; sfdisk -d "$0" | tail -n 1`, disk))
			want := fmt.Sprintf("%s1 : start= 2048, size= %d, type=83, bootable", disk, c.count)
			if strings.Join(got, " ") != want {
				t.Errorf("sfdisk: %q, want %q", strings.Join(got, " "), want)
			}
			if again, _, _ := New(head, c.bytes+c.more); !bytes.Equal(again, before) {
				t.Error("a second disk of the same dump differs")
			}
		})
	}
}

func TestUnknownLength(t *testing.T) {
	t.Parallel()
	_, head := ext4(t, "20M", "-t", "ext4")
	before, _, err := New(head, 0)
	if count := binary.LittleEndian.Uint32(before[446+12:]); err != nil || count != 40960 {
		t.Errorf("the partition has %d sectors (%v), want those of the file system, 40960", count, err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, head := ext4(t, "20M", "-t", "ext4")
	change := func(at int, b ...byte) []byte {
		out := bytes.Clone(head)
		copy(out[superblock+at:], b)
		return out
	}
	for name, c := range map[string]struct {
		head   []byte
		length int64
		want   error
	}{
		"short":     {head[:Head-1], 0, ErrNotExt},
		"no magic":  {change(magic, 0), 0, ErrNotExt},
		"block":     {change(logBlock, 7), 0, ErrNotExt},
		"no blocks": {change(blocksLow, 0, 0, 0, 0), 0, ErrNotExt},
		"absurd":    {append(change(incompat, 0x80)[:superblock+blocksHigh], append([]byte{0, 0, 0, 0x80}, head[superblock+blocksHigh+4:]...)...), 0, ErrNotExt},
		"2 TiB":     {head, 1 << 41, ErrTooLarge},
	} {
		if _, _, err := New(c.head, c.length); !errors.Is(err, c.want) {
			t.Errorf("%s: New = %v, want %v", name, err, c.want)
		}
	}
}

func FuzzNew(f *testing.F) {
	f.Add(make([]byte, Head), int64(0))
	f.Fuzz(func(t *testing.T, head []byte, length int64) {
		before, need, err := New(head, length&(1<<50-1))
		if err == nil && (len(before) != Size || need <= 0 || before[446] != active) {
			t.Errorf("New = %d bytes, %d", len(before), need)
		}
	})
}

// FuzzNewNTFS makes the record before any dump: a file system has a size, and the boot
// sector differs in one field.
func FuzzNewNTFS(f *testing.F) {
	boot := make([]byte, sector)
	copy(boot[ntfsMark:], "NTFS    ")
	boot[ntfsSector+1], boot[ntfsSectors+1], boot[510], boot[511] = 2, 8, 0x55, 0xaa
	f.Add(boot, int64(0))
	f.Add(boot, int64(1<<41))
	f.Fuzz(func(t *testing.T, head []byte, length int64) {
		before, need, err := NewNTFS(head, max(length, 0)/sector*sector)
		if err != nil {
			return
		}
		if need <= 0 || len(before) != Size+sector {
			t.Fatalf("%d bytes, need %d", len(before), need)
		}
		same := append(bytes.Clone(head[:ntfsHidden]), before[Size+ntfsHidden:Size+ntfsHidden+4]...)
		if same = append(same, head[ntfsHidden+4:sector]...); !bytes.Equal(before[Size:], same) {
			t.Error("more of the boot sector changed than where it lies")
		}
	})
}
