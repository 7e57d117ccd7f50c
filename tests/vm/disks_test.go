package vm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// combination is a way to lay out a disk, and what is done with it.
type combination struct {
	table   string // "gpt", "primary", "logical" or "none"
	fs      string // "ext4", "xfs", "btrfs" or "lvm"
	inside  string // the file system of the root, another one than fs on LVM
	living  bool   // customize --all, rather than deploy
	further int64  // bytes that the disk has and the image has not
}

// tables and kinds are what combinations are made of.
var (
	tables = []string{"gpt", "primary", "logical", "none"}
	kinds  = []string{"ext4", "xfs", "btrfs", "lvm"}
)

// combine returns the i-th combination of all, from 1, and lets chance decide the rest.
func combine(i int, r *rand.Rand) combination {
	i--
	c := combination{table: tables[i%4], fs: kinds[i/4%4], living: i/16%2 == 1}
	c.inside = c.fs
	if c.fs == "lvm" {
		c.inside = kinds[r.IntN(3)]
	}
	c.further = []int64{0, 1, 2047, 40 << 11, 1<<21 + 7, r.Int64N(1 << 22)}[r.IntN(6)] * 512
	return c
}

// image lays the tree out, and returns the partition of the root.
func (c combination) image(tree images.Tree) (images.Image, int) {
	root := images.Root(1, 1, c.inside, tree)
	root.MiB = map[string]int64{"ext4": 64, "xfs": 320, "btrfs": 256}[c.inside]
	if c.fs == "lvm" {
		root.Name = "root"
		other := images.Part{Name: "other", MiB: 16, FS: "ext4", Label: "data", FSUUID: images.DataUUID}
		root = images.Part{Number: 1, Start: 1, MiB: root.MiB + 16 + 12, Type: "8e", FS: "lvm", Group: "sys", Volumes: []images.Part{root, other}}
	}
	bootable := images.Part{Number: 1, Start: 1, MiB: 8, Type: "83", FS: "ext4", Label: "data2", FSUUID: "5eed0000-0000-4000-8000-0000000000a5"}
	image := images.Image{Label: "dos", MiB: root.MiB + 12}
	switch c.table {
	case "none":
		root.Number, root.Start, image.Label, image.MiB = 0, 0, "", root.MiB
		image.Parts = []images.Part{root}
	case "primary":
		root.Boot = true
		image.Parts = []images.Part{root}
	case "logical":
		root.Number, root.Start = 5, 10
		image.Parts = []images.Part{bootable, {Number: 2, Start: 9, MiB: root.MiB + 1, Type: "5", FS: "-"}, root}
	case "gpt":
		root.Number, root.Start, image.Label = 3, 9, "gpt"
		root.Type, bootable.Type = map[bool]string{false: "L", true: "V"}[c.fs == "lvm"], "U"
		image.Parts = []images.Part{bootable, root}
	}
	return image, root.Number
}

// tree is a Debian, with the files of odd kinds where mkfs can make them.
func (c combination) tree() images.Tree {
	tree := images.Debian()
	if c.inside == "xfs" {
		tree = images.PlainDebian()
	}
	device := "UUID=" + images.RootUUID
	if c.fs == "lvm" {
		device = "/dev/mapper/sys-root"
	}
	return tree.With(images.Entry{Path: "etc/fstab", Data: device + " / " + c.inside + " defaults 0 0\n"})
}

// root returns a file, and the partition in it, that hold the file system of the root.
func (c combination) root(t testing.TB, disk string, n int) (file string, part int) {
	if c.fs == "lvm" {
		return oracle.Volume(t, disk, "sys", "root", n), 0
	}
	return disk, n
}

// check runs the combination and looks at what has become of the disk.
func (c combination) check(t *testing.T) {
	t.Helper()
	t.Logf("%+v", c)
	image, n := c.image(c.tree())
	j := makeJob(t, image)
	size := oracle.Size(t, j.image) + c.further
	if c.living {
		sh(t, "cp", "--sparse=always", j.image, j.disk)
		truncate(t, j.disk, size)
		site.Run(t, j.customized(append(everything(j), "--all", "--name", "web1.example.org")...)...).OK(t)
	} else {
		args := append([]string{"deploy", "--image", j.image, "--disk", j.disk, "--size", fmt.Sprint(size), "--name", "web1.example.org", "--property", "USERS=root"}, everything(j)...)
		site.Run(t, args...).OK(t)
	}
	if c.table == "none" {
		harness.NothingLeft(t, j.disk, j.image)
	} else {
		j.done()
	}
	c.checkSize(t, j, n)
	before, from := c.root(t, j.image, n)
	after, to := c.root(t, j.disk, n)
	oracle.SoundFS(t, after)
	changed := oracle.Changed(oracle.ReadTree(t, before, from), oracle.ReadTree(t, after, to))
	changed = slices.DeleteFunc(changed, func(s string) bool { return s == "! /lost+found" })
	if d := cmp.Diff(intended, changed); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	for _, p := range image.Parts {
		if p.Label == "data2" && oracle.Digest(t, j.image, p.Start*images.MiB, p.MiB*images.MiB) != oracle.Digest(t, j.disk, p.Start*images.MiB, p.MiB*images.MiB) {
			t.Error("another partition than the root's changed")
		}
	}
}

// checkSize holds the end of the partition against that of the disk, and what is in it
// against the partition.
func (c combination) checkSize(t *testing.T, j *job, n int) {
	t.Helper()
	size := oracle.Size(t, j.disk)
	room := size
	if n > 0 {
		_, parts := oracle.ReadTable(t, j.disk)
		if room = parts[n].Size * 512; parts[n].End()*512 < size-3*images.MiB {
			t.Errorf("the partition ends at sector %d of a disk of %d bytes", parts[n].End(), size)
		}
	}
	file, part := c.root(t, j.disk, n)
	if c.fs == "lvm" {
		inside := oracle.Size(t, file)
		if least := room - (16+1+8)*images.MiB; inside < least {
			t.Errorf("the volume has %d bytes of %d, want %d", inside, room, least)
		}
		room = inside
	}
	if fs := oracle.FSBytes(t, file, part); fs > room || fs < room-images.MiB {
		t.Errorf("the file system has %d bytes of %d", fs, room)
	}
}

// TestDisks takes two combinations that no other test has.
func TestDisks(t *testing.T) {
	combinable(t)
	for _, i := range []int{15, 16 + 11} { // LVM in a logical partition, an installed btrfs there
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			combine(i, rand.New(rand.NewPCG(1, uint64(i)))).check(t)
		})
	}
}

// TestTortureDisks goes through the combinations of tables, file systems and modes, with
// sizes by the seed.
func TestTortureDisks(t *testing.T) {
	combinable(t)
	endure(t, "disks", setting(t, "SNF_DISKS", 4*4*2), func(t *testing.T, i int, r *rand.Rand) {
		combine(i, r).check(t)
	})
}

// combinable demands the tools of all combinations.
func combinable(t *testing.T) {
	t.Helper()
	harness.Gate(t, append([]string{"lvm", "mkfs.xfs", "xfs_repair", "xfs_db", "mkfs.btrfs", "btrfs"}, needed...)...)
}
