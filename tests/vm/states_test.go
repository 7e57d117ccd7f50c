package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestStates deploys an image that was copied from a running machine: the root frozen and
// of the future, XFS and btrfs as a power failure leaves them. What was flushed is there,
// and everything is sound.
func TestStates(t *testing.T) {
	harness.Gate(t, "mkfs.xfs", "xfs_repair", "xfs_db", "mkfs.btrfs", "btrfs", "fsfreeze", "debugfs")
	fstab := images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n" +
		"PARTLABEL=x /srv/x xfs defaults 0 0\nPARTLABEL=b /srv/b btrfs defaults 0 0\n"}
	const linux = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	root := images.Root(3, 449, "ext4", images.Debian().With(fstab, images.Entry{Path: "srv/x/"}, images.Entry{Path: "srv/b/"}))
	root.Type = linux
	image := images.Image{Label: "gpt", MiB: 514, Parts: []images.Part{
		{Number: 1, Start: 1, MiB: 320, Type: linux, Name: "x", FS: "xfs", Label: "x", FSUUID: images.DataUUID},
		{Number: 2, Start: 321, MiB: 128, Type: linux, Name: "b", FS: "btrfs", Label: "b", FSUUID: images.SwapUUID},
		root,
	}}
	j := newJob(t, image)
	j.interrupt(image, "fsfreeze")
	sh(t, "debugfs", "-w", "-R", "ssv mtime 20370101000000", fmt.Sprintf("%s?offset=%d", j.image, root.Start*images.MiB))
	sh(t, "debugfs", "-w", "-R", "ssv wtime 20370101000000", fmt.Sprintf("%s?offset=%d", j.image, root.Start*images.MiB))
	site.Run(t, j.args("--size", "700M", "--file", j.file("motd", "hello\n")+":/srv/x/motd")...).OK(t)
	j.done()
	for n, name := range map[int]string{1: "motd", 2: "written", 3: "written"} {
		if got := oracle.ReadFile(t, j.disk, n, name); got != "hello\n" {
			t.Errorf("%s of partition %d holds %q", name, n, got)
		}
	}
	if got := oracle.ReadFile(t, j.disk, 1, "written"); got != "hello\n" {
		t.Errorf("written of XFS holds %q: its log was not replayed", got)
	}
	if fs := oracle.FSBytes(t, j.disk, 3); fs < (700-449-3)*images.MiB {
		t.Errorf("the root has %d bytes", fs)
	}
}

// interrupt replaces the image by what it looks like while it is mounted, after a file was
// written to each of its file systems and flushed; the root is frozen.
func (j *job) interrupt(image images.Image, freeze string) {
	t := j.t
	t.Helper()
	run := func(args ...string) { sh(t, args...) }
	var undo []func()
	for _, p := range image.Parts {
		dir := filepath.Join(t.TempDir(), p.FS)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		device, remove := images.Loop(t, j.image, p.Start*images.MiB, p.MiB*images.MiB)
		run("mount", "-t", p.FS, device, dir)
		undo = append(undo, remove, func() { run("umount", dir) })
		f, err := os.Create(filepath.Join(dir, "written"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("hello\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if p.Label == "root" {
			run(freeze, "--freeze", dir)
			undo = append(undo, func() { run(freeze, "--unfreeze", dir) })
		}
	}
	copied := j.image + ".copy"
	run("cp", "--sparse=always", j.image, copied)
	for i := range undo {
		undo[len(undo)-1-i]()
	}
	if err := os.Rename(copied, j.image); err != nil {
		t.Fatal(err)
	}
}
