package vm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// formerly makes a disk file that looks, from offset to end, like a member of a ZFS pool
// and of a RAID whose metadata, of version 1.0, is at its end.
func formerly(t *testing.T, path string, size int64, members ...[2]int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		length := m[1] - m[0]
		end := length &^ (256<<10 - 1)
		for _, label := range []int64{0, 256 << 10, end - 512<<10, end - 256<<10} {
			for i := range int64(64) { // uberblocks
				writeAt(t, f, m[0]+label+128<<10+i<<10, []byte{0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0})
			}
		}
		last := length&^4095 - 8<<10
		super := make([]byte, 256)
		binary.LittleEndian.PutUint32(super, 0xa92b4efc)
		binary.LittleEndian.PutUint32(super[4:], 1)
		binary.LittleEndian.PutUint64(super[144:], uint64(last>>9))
		writeAt(t, f, m[0]+last, super)
	}
}

func writeAt(t *testing.T, f *os.File, at int64, b []byte) {
	t.Helper()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// TestFormerContents deploys to a disk that had partitions in a pool and a RAID, with
// swap on another such disk, and lets the machine grow over a third: of what was there
// nothing is recognized, not by wipefs either.
func TestFormerContents(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	const size, larger = 256 * images.MiB, 512 * images.MiB
	swap := filepath.Join(j.dir, "swap.raw")
	formerly(t, j.disk, size, [2]int64{images.MiB, size}, [2]int64{0, size})
	formerly(t, swap, 64*images.MiB, [2]int64{0, 64 * images.MiB})
	if got := oracle.Signatures(t, j.disk, 0); !cmp.Equal(got, []string{"linux_raid_member", "zfs_member"}) {
		t.Fatalf("wipefs finds %q on the disk, want what was put there", got)
	}
	in := site.With(t, `WIPE="none"`)
	in.Run(t, j.args("--disk", swap, "--property", "SWAP=b")...).OK(t)
	j.done()
	checkFormer(t, j, swap)

	formerly(t, j.disk, larger)
	f, err := os.OpenFile(j.disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	formerly(t, filepath.Join(j.dir, "other"), larger, [2]int64{images.MiB, larger})
	behind := make([]byte, larger-size)
	other, err := os.Open(filepath.Join(j.dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ReadAt(behind, size); err != nil {
		t.Fatal(err)
	}
	writeAt(t, f, size, behind)
	for range 2 { // the second has to recognize the root
		in.Run(t, j.customized("--grow", "--disk", swap, "--property", "SWAP=b")...).OK(t)
	}
	j.done()
	checkFormer(t, j, swap)
	harness.NothingLeft(t, swap)
}

// checkFormer asks wipefs about both disks and the partition.
func checkFormer(t *testing.T, j *job, swap string) {
	t.Helper()
	for _, c := range []struct {
		what, disk string
		partition  int
		want       []string
	}{
		{"the disk", j.disk, 0, []string{"dos"}},
		{"the root partition", j.disk, 1, []string{"ext4"}},
		{"the swap disk", swap, 0, []string{"swap"}},
	} {
		if diff := cmp.Diff(c.want, oracle.Signatures(t, c.disk, c.partition)); diff != "" {
			t.Errorf("wipefs on %s (-want +got):\n%s", c.what, diff)
		}
	}
}
