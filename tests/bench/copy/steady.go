package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// mapped are the formats that know what is not there.
var mapped = []struct{ name, pack string }{
	{"raw", `cp --sparse=always "$IMAGE" "$PACKED" && truncate -s "$SIZE" "$PACKED"`},
	{"qcow2-zlib", `qemu-img convert -c -O qcow2 "$IMAGE" "$PACKED" && qemu-img resize -q "$PACKED" "$SIZE"`},
}

// flat measures the same data in a disk of 10 GiB and in one of 1 TiB.
func (b *bench) flat(ctx context.Context) error {
	fmt.Print("\n### The same data in a disk of 10 GiB and of 1 TiB, new file\n\n| format | seconds, 10 GiB | seconds, 1 TiB | × |\n|---|---|---|---|\n")
	b.packed, b.disk, b.kind, b.where = b.dir+"/packed", b.file, "file", nil
	for _, m := range mapped {
		var times [2][]float64
		var ratios []float64
		for range b.rounds {
			for i, size := range []int64{10 << 30, 1 << 40} {
				if err := b.run(ctx, m.pack, fmt.Sprintf("SIZE=%d", size)); err != nil {
					return err
				}
				if err := newFile(b.file, size); err != nil {
					return err
				}
				s, err := b.time(ctx, ours)
				if err != nil {
					return err
				}
				times[i] = append(times[i], s.wall.Seconds())
			}
			last := len(times[0]) - 1
			ratios = append(ratios, times[1][last]/times[0][last])
		}
		fmt.Printf("| %s | %.2f | %.2f | %.2f |\n", m.name, median(times[0]), median(times[1]), median(ratios))
	}
	return os.Remove(b.file)
}

// cache measures what a copy leaves in the page cache, of an image that was not there.
func (b *bench) cache(ctx context.Context) error {
	fmt.Print("\n### Page cache: MiB of image and disk in it, before and after\n\n| image | before | after |\n|---|---|---|\n")
	b.kind, b.where, b.disk = "file", nil, b.file
	for _, r := range rows() {
		if r.name != "raw" && r.name != "qcow2-zlib" && r.name != "xz" {
			continue
		}
		if err := b.pack(ctx, r); err != nil {
			return err
		}
		if err := newFile(b.file, b.size); err != nil {
			return err
		}
		if err := evict(b.packed); err != nil {
			return err
		}
		before, err := b.cached()
		if err != nil {
			return err
		}
		if _, err := b.time(ctx, ours); err != nil {
			return err
		}
		after, err := b.cached()
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f | %.1f |\n", r.name, before, after)
	}
	return os.Remove(b.file)
}

// evict writes a file out and drops it from the page cache.
func evict(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// cached returns how many MiB of the image and the disk are in the page cache.
func (b *bench) cached() (float64, error) {
	out, err := exec.Command("fincore", "--bytes", "--noheadings", "--output", "RES", b.packed, b.file).Output()
	if err != nil {
		return 0, fmt.Errorf("fincore: %w", err)
	}
	sum := 0.0
	for line := range strings.FieldsSeq(string(out)) {
		var n float64
		if _, err := fmt.Sscan(line, &n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum / (1 << 20), nil
}
