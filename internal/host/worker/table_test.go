package worker

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// partitioned makes a disk of size bytes with the table that sfdisk makes of script.
func partitioned(t *testing.T, size int64, script string, options ...string) []byte {
	t.Helper()
	return partitionedBy(t, size, script, append([]string{"sfdisk", "--quiet", "--wipe=always"}, options...)...)
}

func partitionedBy(t *testing.T, size int64, script string, tool ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool[0], append(tool[1:], path)...)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", tool[0], err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	mib    = 1 << 20
	mbr    = "label: dos\nstart=2048, size=20480, type=83, bootable\nstart=22528, size=10240, type=83\n" // to 16 MiB
	nested = "label: dos\nstart=2048, size=2048, type=83\nstart=4096, size=28672, type=5\nstart=6144, size=2048, type=83\n"
	gpt    = "label: gpt\nstart=22528, size=10240\nstart=2048, size=20480\n" // to 16 MiB
)

// TestWhole compares with what sfdisk wrote where a stream must not end.
func TestWhole(t *testing.T) {
	t.Parallel()
	fat := filepath.Join(t.TempDir(), "fat")
	if out, err := exec.Command("mkfs.vfat", "-C", fat, "20480").CombinedOutput(); err != nil {
		t.Fatalf("mkfs.vfat: %v\n%s", err, out)
	}
	vfat, err := os.ReadFile(fat)
	if err != nil {
		t.Fatal(err)
	}
	damaged := partitioned(t, 20*mib, gpt)
	damaged[512+40]++ // which its checksum does not match
	overlapping := partitioned(t, 20*mib, mbr)
	copy(overlapping[462+8:], []byte{0, 8, 0, 0}) // the second one begins with the first
	hybrid := partitioned(t, 20*mib, gpt)
	copy(hybrid[462:], []byte{0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1}) // nonsense beside the protective entry
	for _, tc := range []struct {
		name        string
		disk        []byte
		image, dump int64 // the shortest stream that is whole
	}{
		{"MBR", partitioned(t, 20*mib, mbr), 16 * mib, 16 * mib},
		{"extended partition", partitioned(t, 20*mib, nested), 16 * mib, 16 * mib},
		{"GPT", partitioned(t, 20*mib, gpt), 16 * mib, 20 * mib},
		{"hybrid MBR", hybrid, 16 * mib, 20 * mib},
		{"GPT with large sectors", partitionedBy(t, 20*mib, "g\nn\n1\n256\n4095\nw\n", "fdisk", "-b", "4096"), 16 * mib, 20 * mib},
		{"damaged GPT", damaged, 0, 0},
		{"no table", make([]byte, 20*mib), 0, 0},
		{"a file system", vfat, 0, 0},
		{"noise", append(append(noise(3, 510), 0x55, 0xaa), noise(4, 1<<20)...), 0, 0},
		{"overlapping partitions", overlapping, 0, 0},
	} {
		for _, dump := range []bool{false, true} {
			least := tc.image
			if dump {
				least = tc.dump
			}
			head := tc.disk[:tableBytes]
			const large = 40 * mib
			if err := whole(head, least, large, dump); err != nil {
				t.Errorf("%s (dump: %v) of %d bytes: %v", tc.name, dump, least, err)
			}
			if err := whole(head, max(0, least-512), large, dump); (err != nil) != (least > 0) {
				t.Errorf("%s (dump: %v) one sector short of %d: %v", tc.name, dump, least, err)
			}
			if err := whole(head, 1*mib, 1*mib, dump); err != nil {
				t.Errorf("%s (dump: %v) as long as the disk: %v", tc.name, dump, err)
			}
		}
	}
}

// TestBrokenOff ends streams where the disk goes on. Nothing that boots is left.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	disk := partitioned(t, 20*mib, gpt)
	for i := range 8 * mib { // behind the table, as a system that boots would be
		disk[2*mib+i] = byte(i)
	}
	for name, start := range map[string]func(part []byte, path string) rig{
		"import":        func(part []byte, path string) rig { return importer(t, feed(t, part), path) },
		"image by URL":  func(part []byte, path string) rig { return streamer(t, feed(t, part), 0, path) },
		"declared part": func(part []byte, path string) rig { return streamer(t, feed(t, part), len(part), path) },
	} {
		path := stale(t, 32*mib)
		_, err := start(disk[:10*mib], path).write(t.Context())
		if report.KindOf(err) != report.Image || !strings.Contains(err.Error(), "it is cut short: there are 10485760 bytes, and by its partition table at least") {
			t.Errorf("%s: %v, want that it is cut short", name, err)
		}
		if !blank(t, path) {
			t.Errorf("%s: the disk is bootable", name)
		}
		path = stale(t, 32*mib)
		r := start(disk, path)
		if _, err := r.write(t.Context()); err != nil {
			t.Errorf("%s of all: %v", name, err)
			continue
		}
		if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(readDisk(t, path)[:len(disk)], disk) {
			t.Errorf("%s of all: the disk differs", name)
		}
	}
}

// FuzzWhole looks for panics: the bytes are anybody's.
func FuzzWhole(f *testing.F) {
	f.Add(make([]byte, 512), int64(512))
	f.Add([]byte(strings.Repeat("\x00", 512)+"EFI PART"), int64(1<<40))
	f.Fuzz(func(t *testing.T, b []byte, n int64) {
		head := make([]byte, tableBytes)
		copy(head, b)
		for _, dump := range []bool{false, true} {
			if err := whole(head, n, n, dump); err != nil {
				t.Errorf("a stream as long as the disk: %v", err)
			}
			_ = whole(head, n, n+1, dump)
		}
	})
}
