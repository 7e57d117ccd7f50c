package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

const (
	group   = "my-sys" // the minus sign is doubled in /dev/mapper
	varUUID = "5eed0000-0000-4000-8000-0000000000a4"
)

// groupImage is a GPT with /boot, and a volume group of two partitions that holds the root
// on XFS and /var on ext4.
func groupImage() images.Image {
	store := images.Part{FS: "lvm", Group: group, Type: "E6D6D379-F507-44C2-A23C-238F2A3DF928"}
	small, last := store, store
	small.Number, small.Start, small.MiB = 2, 17, 16
	last.Number, last.Start, last.MiB = 3, 33, 378
	root := images.Root(0, 0, "xfs", images.PlainDebian().With(images.Entry{Path: "var/"}, images.Entry{Path: "boot/"}, images.Entry{
		Path: "etc/fstab", Data: "/dev/mapper/my--sys-root / xfs defaults 0 0\n" +
			"/dev/my-sys/var /var ext4 defaults 0 0\nUUID=" + images.DataUUID + " /boot ext4 defaults 0 2\n",
	}).Without("var/lib/dbus/machine-id"))
	root.Name, root.MiB = "root", 320
	return images.Image{Label: "gpt", MiB: 412, Parts: []images.Part{
		{Number: 1, Start: 1, MiB: 16, Type: "BC13C2FF-59E6-4262-A352-B275FD6F7172", FS: "ext4", Label: "boot", FSUUID: images.DataUUID},
		small, func() images.Part {
			last.Volumes = []images.Part{root, {Name: "var", MiB: 32, FS: "ext4", Label: "var", FSUUID: varUUID, Tree: images.Tree{{Path: "kept", Data: "kept\n"}}}}
			return last
		}(),
	}}
}

// TestLVM deploys a root in a volume group of two partitions, beside a disk of the instance
// that is a copy of the image, group and all, and has the installed machine then grow /var.
func TestLVM(t *testing.T) {
	harness.Gate(t, "lvm", "mkfs.xfs", "xfs_repair", "xfs_db")
	j := newJob(t, groupImage())
	d := site.Definition(t, filepath.Join(j.dir, "root"), `IMG_FORMAT="diskdump"`)
	harness.File(t, filepath.Join(j.dir, "root/etc/ganeti/snf-image/variants"), "default.conf", "")
	sh(t, "cp", j.image, filepath.Join(d.ImageDir, "image"))
	other := filepath.Join(j.dir, "other.raw")
	sh(t, "cp", j.image, other)
	truncateNew(t, j.disk, 1024*images.MiB)
	before := oracle.Digest(t, other, 0, oracle.Size(t, other))
	d.Call(t, "create", gnt(j.disk, osp(map[string]string{
		"DISK_COUNT": "2", "DISK_1_PATH": other, "DISK_1_SIZE": "412", "DISK_1_ACCESS": "rw", "DISK_1_BACKEND_TYPE": "file:loop",
		"DISK_0_SIZE": "1024", "OSP_IMG_PERSONALITY": `[{"path": "/var/motd", "contents": "aGVsbG8K"}, {"path": "/boot/motd", "contents": "aGVsbG8K"}]`,
	}))).OK(t)
	if oracle.Digest(t, other, 0, oracle.Size(t, other)) != before {
		t.Error("the other disk of the instance was changed")
	}
	j.done()
	j.checkGroup("inst1.gnt.test", 1024, "root")
	text := oracle.ReadFile(t, oracle.Volume(t, j.disk, group, "var", 2, 3), 0, "motd") + oracle.ReadFile(t, j.disk, 1, "motd")
	if text != "hello\nhello\n" {
		t.Errorf("/var/motd and /boot/motd hold %q, want hello twice", text)
	}
	root := oracle.Size(t, oracle.Volume(t, j.disk, group, "root", 2, 3))
	site.Run(t, j.customized("--size", "1500M", "--name", "web2", "--property", "GROW=/var")...).OK(t)
	j.done()
	j.checkGroup("web2", 1500, "var")
	if got := oracle.Size(t, oracle.Volume(t, j.disk, group, "root", 2, 3)); got != root {
		t.Errorf("the root's volume has %d bytes, and had %d", got, root)
	}
}

// checkGroup compares the sizes of partition, volume and file system of what grew, and looks
// at the host name in the root.
func (j *job) checkGroup(hostname string, mib int64, grown string) {
	j.t.Helper()
	_, parts := oracle.ReadTable(j.t, j.disk)
	if end := parts[3].End() * 512; end < (mib-2)*images.MiB {
		j.t.Errorf("the partition ends at byte %d of a disk of %d MiB", end, mib)
	}
	root, volume := oracle.Volume(j.t, j.disk, group, "root", 2, 3), oracle.Volume(j.t, j.disk, group, grown, 2, 3)
	oracle.SoundFS(j.t, root)
	oracle.SoundFS(j.t, volume)
	size, others := oracle.Size(j.t, volume), int64(32*images.MiB) // of /var
	if grown == "var" {
		others = oracle.Size(j.t, root)
	}
	if least := parts[3].Size*512 - others - 8*images.MiB; size < least {
		j.t.Errorf("the volume has %d bytes, want %d", size, least)
	}
	if fs := oracle.FSBytes(j.t, volume, 0); fs > size || fs < size-images.MiB {
		j.t.Errorf("the file system has %d bytes, want the volume's %d", fs, size)
	}
	if got := strings.TrimSpace(oracle.ReadFile(j.t, root, 0, "etc/hostname")); got != hostname {
		j.t.Errorf("the host name is %q, want %q", got, hostname)
	}
}

// TestLVMStriped has a root that lies on two partitions by turns: it grows by a linear piece
// on the second one.
func TestLVMStriped(t *testing.T) {
	harness.Gate(t, "lvm")
	image := groupImage()
	root := images.Root(0, 0, "ext4", images.PlainDebian().With(images.Entry{Path: "etc/fstab", Data: "/dev/my-sys/root / ext4 defaults 0 1\n"}))
	root.Name, root.MiB, root.Stripes = "root", 128, 2
	image.Parts[1].MiB, image.Parts[2].Start, image.Parts[2].MiB, image.MiB = 72, 89, 72, 162
	image.Parts[2].Volumes = []images.Part{root}
	j := newJob(t, image)
	site.Run(t, j.args("--size", "500M")...).OK(t)
	j.done()
	volume := oracle.Volume(t, j.disk, group, "root", 2, 3)
	oracle.SoundFS(t, volume)
	_, parts := oracle.ReadTable(t, j.disk)
	size := oracle.Size(t, volume)
	if least := parts[3].Size*512 + (64-16)*images.MiB; size < least {
		t.Errorf("the volume has %d bytes, want %d", size, least)
	}
	if fs := oracle.FSBytes(t, volume, 0); fs > size || fs < size-images.MiB {
		t.Errorf("the file system has %d bytes, want the volume's %d", fs, size)
	}
	if got := oracle.ReadFile(t, volume, 0, "etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("the host name is %q", got)
	}
}

// unmapped are volumes of every kind that is recognized and not mapped, as the metadata of
// LVM have them.
const unmapped = `
thin: type="thin" thin_pool="pool" transaction_id=0 device_id=1
pool: type="thin-pool" metadata="pool_tmeta" pool="pool_tdata" transaction_id=1 chunk_size=128 discards="passdown" zero_new_blocks=1
pool_tmeta: 0
pool_tdata: 1
raid: type="raid1" device_count=2 region_size=4096 raids=["raid_rmeta_0","raid_rimage_0","raid_rmeta_1","raid_rimage_1"]
raid_rmeta_0: 2
raid_rimage_0: 3
raid_rmeta_1: 4
raid_rimage_1: 5
cached: type="cache" cache_pool="cpool" origin="cached_corig"
cached_corig: 6
cpool: type="cache-pool" data="cpool_cdata" metadata="cpool_cmeta" chunk_size=128 cache_mode="writethrough" policy="smq" metadata_format=2
cpool_cdata: 7
cpool_cmeta: 8
origin: 9
snap: 10
snapshot0: type="snapshot" chunk_size=8 origin="origin" cow_store="snap"
`

// TestLVMRefused has a group of volumes that are not mapped, and one whose metadata are
// damaged.
func TestLVMRefused(t *testing.T) {
	harness.Gate(t, "lvm", "mkfs.xfs")
	empty := groupImage()
	empty.Parts[2].Volumes = nil
	t.Run("kinds", func(t *testing.T) {
		j := newJob(t, empty)
		j.restore(unmapped)
		site.Run(t, j.args("--size", "500M")...).Fails(t, 3, "not in this version: a cached LVM volume .LVM volume my-sys/cached., "+
			"an LVM volume with snapshots .*my-sys/origin.*, an LVM RAID volume .*, .*a thin LVM volume .*linear or striped")
		j.undone()
	})
	t.Run("damaged", func(t *testing.T) {
		j := newJob(t, empty)
		_, parts := oracle.ReadTable(t, j.image)
		for _, n := range []int{2, 3} { // all copies of the text
			for _, at := range []int64{4096 + 512, 4096 + 1024, 4096 + 1536, 4096 + 2048} {
				scribble(t, j.image, parts[n].Start*512+at+20, "damaged")
			}
		}
		site.Run(t, j.args("--size", "500M")...).Fails(t, 3, "no volume group that can be read")
		j.undone()
	})
}

// restore replaces the volumes of the group in the image by those of a text, an extent or
// two each.
func (j *job) restore(text string) {
	t := j.t
	_, parts := oracle.ReadTable(t, j.image)
	var devices []string
	for _, n := range []int{2, 3} {
		d, remove := images.Loop(t, j.image, parts[n].Start*512, parts[n].Size*512)
		defer remove()
		devices = append(devices, d)
	}
	file := filepath.Join(j.dir, "metadata")
	images.LVM(t, devices, "vgcfgbackup", "--file", file, group)
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, segment, _ := strings.Cut(line, ": ")
		visible := `, "VISIBLE"`
		if strings.ContainsAny(name, "_0") || strings.HasSuffix(name, "pool") {
			visible = ""
		}
		if !strings.Contains(segment, "type") {
			segment = `type="striped" stripe_count=1 stripes=["pv1", ` + segment + `]`
		}
		fmt.Fprintf(&b, "%s { id=\"aaaa%02d-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa\" status=[\"READ\",\"WRITE\"%s] flags=[] segment_count=1 "+
			"segment1 { start_extent=0 extent_count=1 %s } }\n", name, i, visible, segment)
	}
	metadata := strings.TrimSuffix(strings.TrimRight(readText(t, file), "\n"), "}") + "logical_volumes {\n" + b.String() + "}\n}\n"
	if err := os.WriteFile(file, []byte(metadata), 0o600); err != nil {
		t.Fatal(err)
	}
	images.LVM(t, devices, "vgcfgrestore", "--force", "--file", file, group)
}
