package partition

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// TestLargeSectors has tables whose numbers count sectors of 4096 bytes, and ones that only
// look strange.
func TestLargeSectors(t *testing.T) {
	t.Parallel()
	const numbers = "label: dos\n1: start=256 size=1024 type=83\n2: start=1280 size=5120 type=%s\n" // 4 MiB and 20 MiB
	mark := func(at int64, b ...byte) func(t *testing.T, name string) {
		return func(t *testing.T, name string) {
			t.Helper()
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := write(at, b...)(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	const first, second = 1 * mib, 5 * mib
	for name, c := range map[string]struct {
		script string
		fill   []func(t *testing.T, name string)
		want   error
	}{
		"ext4": {fmt.Sprintf(numbers, "83"), []func(*testing.T, string){func(t *testing.T, name string) {
			t.Helper()
			run(t, "", "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", fmt.Sprint("offset=", second), name, "20m")
		}}, ErrSectors},
		"XFS":      {fmt.Sprintf(numbers, "83"), []func(*testing.T, string){mark(first, []byte("XFSB")...)}, ErrSectors},
		"btrfs":    {fmt.Sprintf(numbers, "83"), []func(*testing.T, string){mark(first+65600, []byte("_BHRfS_M")...)}, ErrSectors},
		"LVM":      {fmt.Sprintf(numbers, "8e"), []func(*testing.T, string){mark(second+512, []byte("LABELONE")...)}, ErrSectors},
		"FAT":      {fmt.Sprintf(numbers, "c"), []func(*testing.T, string){mark(first+510, 0x55, 0xaa)}, ErrSectors},
		"swap":     {fmt.Sprintf(numbers, "82"), []func(*testing.T, string){mark(second+4086, []byte("SWAPSPACE2")...)}, ErrSectors},
		"extended": {fmt.Sprintf(numbers, "5"), []func(*testing.T, string){mark(1280*512+510, 0, 0), mark(second+510, 0x55, 0xaa)}, ErrSectors},
		// What is at the place of sectors of 512 bytes counts first.
		"both":     {fmt.Sprintf(numbers, "83"), []func(*testing.T, string){mark(second+4086, []byte("SWAPSPACE2")...), mark(256*512+4086, []byte("SWAPSPACE2")...)}, nil},
		"nothing":  {fmt.Sprintf(numbers, "83"), nil, nil},
		"too long": {"label: dos\n1: start=256 size=20000 type=83\n", []func(*testing.T, string){mark(first, []byte("XFSB")...)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, c.script, 32, 32)
			for _, fill := range c.fill {
				fill(t, f.Name())
			}
			if _, err := Read(f, size(t, f)); !errors.Is(err, c.want) {
				t.Errorf("Read = %v, want %v", err, c.want)
			}
		})
	}
}

func TestLargestDisk(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]int64{"dos": 1<<41 - 512, "gpt": 0} {
		if got := read(t, makeDisk(t, "label: "+label+"\n1: start=2048\n", 8, 8)).LargestDisk(); got != want {
			t.Errorf("%s: LargestDisk = %d, want %d", label, got, want)
		}
	}
}
