package vm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestRoomForFiles has an installed machine with two full file systems, of which the last
// grows with its disk. A file that fits only there, after that, comes there; one for
// the other is refused before anything changes.
func TestRoomForFiles(t *testing.T) {
	image := images.DataLast(images.Debian().With(
		images.Entry{Path: "data/"},
		images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\nUUID=" + images.DataUUID + " /data ext4 defaults 0 2\n"},
		images.Entry{Path: "srv/fill", Data: strings.Repeat("full", 50*images.MiB/4)},
	))
	image.Parts[1].Tree = append(image.Parts[1].Tree, images.Entry{Path: "fill", Data: strings.Repeat("full", 10*images.MiB/4)})
	j := newJob(t, image)
	j.disk = j.image
	large := j.file("large", strings.Repeat("room", 8*images.MiB/4))
	before := oracle.Digest(t, j.disk, 0, -1)
	site.Run(t, j.customized("--size", "128M", "--name", "web2", "--file", large+":/srv/large")...).Fails(t, 8,
		`nothing is changed, since EnforcePersonality cannot be done: there is no room for /srv/large: the files need 8388608 bytes`)
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("the disk, or its size, changed")
	}
	site.Run(t, j.customized("--size", "128M", "--file", large+":/data/large")...).OK(t)
	oracle.Sound(t, j.disk)
	if got := oracle.ReadFile(t, j.disk, 2, "large"); len(got) != 8*images.MiB {
		t.Errorf("/data/large has %d bytes, want %d", len(got), 8*images.MiB)
	}
}

// checkSwapAlone adds swap behind the last partition of an installed machine, and nothing
// else: what is there stays, to the byte.
func checkSwapAlone(t *testing.T, j *job) {
	t.Helper()
	size := oracle.Size(t, j.disk)
	truncate(t, j.disk, size+32*images.MiB)
	before, root := oracle.ReadTree(t, j.disk, 1), partition(t, j.disk, 1)
	site.Run(t, "customize", "--disk", j.disk, "--property", "SWAP=2:16").OK(t)
	if d := cmp.Diff([]string{"! /etc/fstab"}, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); d != "" {
		t.Errorf("swap alone: changes (-want +got):\n%s", d)
	}
	if got := partition(t, j.disk, 1); got != root {
		t.Errorf("swap alone: the root partition is %+v, want %+v", got, root)
	}
	if got := partition(t, j.disk, 2); got.Size*512 != 16*images.MiB || !slices.Contains([]string{"82", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"}, got.Type) {
		t.Errorf("swap alone: the new partition is %+v", got)
	}
	if got := oracle.Signatures(t, j.disk, 2); !slices.Equal(got, []string{"swap"}) {
		t.Errorf("swap alone: wipefs finds %q", got)
	}
	entry := "UUID=" + oracle.UUID(t, j.disk, 2) + " none swap sw 0 0\n"
	if got := oracle.ReadFile(t, j.disk, 1, "etc/fstab"); !strings.HasSuffix(got, "\n"+entry) {
		t.Errorf("swap alone: fstab does not end in %q:\n%s", entry, got)
	}
}

func partition(t *testing.T, disk string, number int) oracle.Partition {
	t.Helper()
	_, parts := oracle.ReadTable(t, disk)
	return parts[number]
}
