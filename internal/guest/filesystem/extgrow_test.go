package filesystem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFitEqualsResize2fs compares the size a file system gets with what resize2fs makes
// of the same device, also where the last group would hold hardly more than itself.
func TestFitEqualsResize2fs(t *testing.T) {
	t.Parallel()
	for name, mkfs := range map[string]string{
		"ext4":              "-t ext4",
		"ext4, 4 KiB":       "-t ext4 -b 4096",
		"ext3":              "-t ext3 -b 1024",
		"ext2, many copies": "-t ext2 -b 1024 -O ^sparse_super,^resize_inode",
		"revision 0":        "-t ext2 -r 0 -b 1024",
		"meta_bg":           "-t ext4 -b 1024 -O meta_bg,^resize_inode",
		"32 bits":           "-t ext4 -b 1024 -O ^64bit,^metadata_csum",
		"bigalloc":          "-t ext4 -b 1024 -O bigalloc -C 16384",
	} {
		for _, kib := range []int64{64 << 10, 64<<10 + 7, 72<<10 + 1000, 200<<10 + 513, 256<<10 + 300, 300 << 10} {
			path := file(t, 16, append([]string{"mke2fs", "-q"}, strings.Fields(mkfs)...)...)
			if err := os.Truncate(path, kib<<10); err != nil {
				t.Fatal(err)
			}
			s, size, err := readSuper(path)
			if err != nil {
				t.Fatal(err)
			}
			got := s.fit(uint64(size) >> s.shift())
			run(t, "resize2fs", "-f", path)
			want, _, err := readSuper(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != want.blocks() {
				t.Errorf("%s, %d KiB: %d blocks, resize2fs makes it %d", name, kib, got, want.blocks())
			}
			if !fillsExt(path) {
				t.Errorf("%s, %d KiB: what resize2fs made does not fill its device", name, kib)
			}
		}
	}
}

func TestCanFill(t *testing.T) {
	t.Parallel()
	const tib = 1 << 40
	for _, tt := range []struct {
		mkfs string
		size int64
		want error // nil: it can
	}{
		{"-t ext4 -b 4096", 40 << 30, nil}, // 1280 times its size
		{"-t ext4 -b 4096 -O ^64bit", 16*tib - 4096, nil},
		{"-t ext4 -b 4096 -O ^64bit", 16*tib + 4096, errNumbers},
		{"-t ext4 -b 1024 -O ^64bit", 5 * tib, errNumbers},
		{"-t ext4 -b 4096 -N 32768", 15 * tib, nil},
		{"-t ext4 -b 4096 -N 32768", 17 * tib, errInodes},
		{"-t ext4 -O sparse_super2", 33 << 20, errSparse2},
		{"-t ext4 -O sparse_super2", 32 << 20, nil},
	} {
		path := file(t, 32, append([]string{"mke2fs", "-q"}, strings.Fields(tt.mkfs)...)...)
		err := canFillExt(path, tt.size)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s, %d bytes: %v, want %v", tt.mkfs, tt.size, err, tt.want)
		}
		limit, ok := errors.AsType[*LimitError](err)
		if tt.want == nil || !ok {
			continue
		}
		if limit.Limit >= tt.size || canFillExt(path, limit.Limit) != nil || !strings.Contains(err.Error(), fmt.Sprint(limit.Limit)) {
			t.Errorf("%s: the largest size is said to be %d (%v)", tt.mkfs, limit.Limit, err)
		}
	}
}

// TestHostileSuperblock has numbers with which nothing can be computed.
func TestHostileSuperblock(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[int]uint32{
		"blocks of 2^74 bytes":         {superLogSize: 64},
		"groups without blocks":        {superPerGroup: 0},
		"groups without inodes":        {superInodes: 0},
		"clusters smaller than blocks": {superCluster: 0, superLogSize: 2},
		"large clusters":               {superCluster: 63},
		"first block":                  {superFirst: 1 << 31},
		"no blocks":                    {superBlocks: 0},
	} {
		path := file(t, 16, "mke2fs", "-q", "-t", "ext2", "-b", "1024")
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for at, v := range change {
			if _, err := f.WriteAt(binary.LittleEndian.AppendUint32(nil, v), int64(superAt+at)); err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
		if err := canFillExt(path, 1<<40); err == nil || fillsExt(path) {
			t.Errorf("%s: CanFill = %v, Fills = %v", name, err, fillsExt(path))
		}
	}
}

// TestVerify shows that damage is seen and left as it is.
func TestVerify(t *testing.T) {
	t.Parallel()
	path := file(t, 16, "mke2fs", "-q", "-t", "ext4")
	if err := verifyExt(t.Context(), path); err != nil {
		t.Errorf("Verify of a new file system = %v", err)
	}
	run(t, "debugfs", "-w", "-R", "freeb 1 20", path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifyExt(t.Context(), path); !errors.Is(err, ErrUnclean) {
		t.Errorf("Verify of a damaged file system = %v, want %v", err, ErrUnclean)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("Verify changed the file system (%v)", err)
	}
}
