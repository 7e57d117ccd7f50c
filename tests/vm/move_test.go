package vm

import (
	"strings"
	"testing"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestGrowProperty lets GROW choose the root, which has a gap behind it, in a deployment,
// and the installed machine then grow what lies before the swap space at its end.
func TestGrowProperty(t *testing.T) {
	fstab := images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n" +
		"UUID=" + images.DataUUID + " /srv ext4 defaults 0 2\nUUID=" + images.SwapUUID + " none swap sw 0 0\n"}
	const linux = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	root := images.Root(7, 1, "ext4", images.Debian().Without("srv/").With(fstab))
	root.Type = linux
	j := newJob(t, images.Image{Label: "gpt", MiB: 128, Parts: []images.Part{
		root,
		{Number: 2, Start: 81, MiB: 16, Type: linux, FS: "ext4", Label: "data", FSUUID: images.DataUUID},
		{Number: 1, Start: 97, MiB: 30, Type: "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", FS: "swap", Label: "pages", FSUUID: images.SwapUUID},
	}})
	_, before := oracle.ReadTable(t, j.image)
	site.Run(t, j.args("--property", "GROW=/")...).OK(t)
	j.done()
	_, parts := oracle.ReadTable(t, j.disk)
	if got := parts[7].End(); got != parts[2].Start || parts[2] != moved(before[2], parts[2]) || parts[1] != moved(before[1], parts[1]) {
		t.Errorf("the root ends at %d, want the start of the next partition, and the others as they were: %v", got, parts)
	}
	if fs, size := oracle.FSBytes(t, j.disk, 7), parts[7].Size*512; fs < size-images.MiB {
		t.Errorf("the file system of the root has %d bytes of %d", fs, size)
	}

	site.Run(t, j.customized("--size", "512M", "--name", "web2")...).OK(t)
	j.done()
	_, parts = oracle.ReadTable(t, j.disk)
	if swap := parts[1]; swap.Size != before[1].Size || swap.UUID != before[1].UUID || swap.End()*512 < 510*images.MiB {
		t.Errorf("the swap partition is %+v, and was %+v", swap, before[1])
	}
	if got := oracle.UUID(t, j.disk, 1); got != images.SwapUUID {
		t.Errorf("the swap space has the UUID %s, want that of the image", got)
	}
	if got := strings.TrimSpace(oracle.Tag(t, j.disk, 1, "LABEL")); got != "pages" {
		t.Errorf("the swap space has the label %q, want that of the image", got)
	}
	if fs, size := oracle.FSBytes(t, j.disk, 2), parts[2].Size*512; parts[2].End() != parts[1].Start || fs < size-images.MiB {
		t.Errorf("the partition before it ends at %d, its file system has %d bytes of %d", parts[2].End(), fs, size)
	}
	if got := oracle.ReadFile(t, j.disk, 7, "etc/hostname"); got != "web2\n" {
		t.Errorf("the host name is %q", got)
	}

	writeTo(t, j.disk, parts[1].Start*512+4086, []byte("S1SUSPEND\x00"))
	digest := oracle.Digest(t, j.disk, 0, -1)
	site.Run(t, j.customized("--size", "600M", "--name", "web3")...).Fails(t, 8,
		"partition 1, the last one, holds a hibernated system: nothing grows past it; start that system and shut it down")
	if oracle.Digest(t, j.disk, 0, -1) != digest {
		t.Error("the disk of the hibernated machine changed")
	}
}

// moved returns p with the node of q: the files have other names.
func moved(p, q oracle.Partition) oracle.Partition {
	p.Node = q.Node
	return p
}
