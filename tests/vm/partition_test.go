package vm

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

const sectorsPerMiB = images.MiB / 512

// TestLastPartitionGrows deploys every layout to a larger disk: the partition
// that is last on the disk grows to its end, with its file system, and nothing
// else of the table or the other partitions changes.
func TestLastPartitionGrows(t *testing.T) {
	cases := map[string]struct {
		image images.Image
		last  int // the partition that must grow
		also  int // the extended partition around it
	}{
		"primary ext2": {image: images.Primary("ext2", images.Debian()), last: 1},
		"primary ext3": {image: images.Primary("ext3", images.Debian()), last: 1},
		"primary ext4": {image: images.Primary("ext4", images.Debian()), last: 1},
		"logical":      {image: images.Logical(images.Debian()), last: 6, also: 2},
		"backwards":    {image: images.Backwards(images.Debian()), last: 1},
		"data last":    {image: images.DataLast(images.Debian()), last: 2},
		"gpt":          {image: images.GPT("ext4", images.Debian()), last: 3},
		"gpt middle":   {image: images.GPTMiddle(images.Debian()), last: 3},
		"gpt cloud":    {image: images.GPTCloud(images.Debian()), last: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.image)
			site.Run(t, j.args()...).OK(t)
			j.done()
			checkGrown(t, j, c.last, c.also)
			checkUntouched(t, j, c.image, c.last)
		})
	}
}

// checkGrown compares the tables entry by entry.
func checkGrown(t *testing.T, j *job, last, also int) {
	t.Helper()
	before, old := oracle.ReadTable(t, j.image)
	after, parts := oracle.ReadTable(t, j.disk)
	if before.Label != after.Label || before.ID != after.ID {
		t.Errorf("table = %s %s, want %s %s", after.Label, after.ID, before.Label, before.ID)
	}
	end := oracle.Size(t, j.disk) / 512
	for n, p := range parts {
		p.Node = old[n].Node
		if n == last || n == also {
			if slack := end - p.End(); slack < 0 || slack > sectorsPerMiB {
				t.Errorf("partition %d ends %d sectors before the end of the disk, want at most 1 MiB", n, slack)
			}
			p.Size = old[n].Size
		}
		if d := cmp.Diff(old[n], p); d != "" {
			t.Errorf("partition %d beyond its size (-image +disk):\n%s", n, d)
		}
	}
	if len(parts) != len(old) {
		t.Errorf("%d partitions, want %d", len(parts), len(old))
	}
	size := parts[last].Size * 512
	if fs := oracle.FSBytes(t, j.disk, last); fs > size || fs < size-images.MiB {
		t.Errorf("the file system has %d bytes, want the partition's %d", fs, size)
	}
}

// checkUntouched compares boot code, the gap behind the table and every
// partition but the root and the one that grew, byte for byte.
func checkUntouched(t *testing.T, j *job, image images.Image, grown int) {
	t.Helper()
	same := func(what string, offset, size int64) {
		t.Helper()
		if oracle.Digest(t, j.image, offset, size) != oracle.Digest(t, j.disk, offset, size) {
			t.Errorf("%s differs from the image's", what)
		}
	}
	same("the boot code", 0, 440)
	same("the gap behind the table", 64*512, images.MiB-64*512)
	for _, p := range image.Parts {
		if p.Number != grown && p.Label != "root" && p.FS != "-" {
			same(fmt.Sprint("partition ", p.Number), p.Start*images.MiB, p.MiB*images.MiB)
		}
	}
}

// TestNoRoomToGrow deploys to a disk of exactly the image's size.
func TestNoRoomToGrow(t *testing.T) {
	for name, image := range map[string]images.Image{
		"dos": images.Primary("ext4", images.Debian()),
		"gpt": images.GPT("ext4", images.Debian()),
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, image)
			size := fmt.Sprint(oracle.Size(t, j.image))
			site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--size", size, "--name", "web1").OK(t)
			j.done()
			for n, p := range image.Parts {
				_, parts := oracle.ReadTable(t, j.disk)
				if got, least := parts[p.Number].Size, p.MiB*sectorsPerMiB; got < least {
					t.Errorf("partition %d of the image shrank from %d to %d sectors", n, least, got)
				}
			}
		})
	}
}

// TestSwap adds a swap partition behind the one that grows.
func TestSwap(t *testing.T) {
	cases := map[string]struct {
		image      images.Image
		swap, root int
	}{
		"primary": {images.Primary("ext4", images.Debian()), 2, 1},
		"logical": {images.Logical(images.Debian()), 7, 6},
		"gpt":     {images.GPT("ext4", images.Debian()), 4, 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.image)
			site.Run(t, j.args("--property", fmt.Sprintf("SWAP=%d:32", c.swap))...).OK(t)
			j.done()
			table, parts := oracle.ReadTable(t, j.disk)
			swap := parts[c.swap]
			if got, want := swap.Size, int64(32*sectorsPerMiB); got != want || swap.Start%sectorsPerMiB != 0 {
				t.Errorf("swap has %d sectors at %d, want %d at a MiB", got, swap.Start, want)
			}
			want := map[string]string{"dos": "82", "gpt": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"}[table.Label]
			if swap.Type != want {
				t.Errorf("swap has type %s, want %s", swap.Type, want)
			}
			line := "UUID=" + oracle.UUID(t, j.disk, c.swap) + " none swap sw 0 0\n"
			if got := oracle.ReadFile(t, j.disk, c.root, "etc/fstab"); !endsWith(got, line) {
				t.Errorf("fstab = %q, want %q at its end", got, line)
			}
		})
	}
}

func endsWith(s, tail string) bool { return len(s) >= len(tail) && s[len(s)-len(tail):] == tail }
