package vm

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// victimKinds are the file systems that are damaged, each in a partition of its own.
var victimKinds = []images.Part{
	{FS: "xfs", MiB: 320},
	{FS: "xfs", MiB: 320, Mkfs: []string{"-m", "crc=0"}},
	{FS: "btrfs", MiB: 128},
	{FS: "vfat", MiB: 16, Mkfs: []string{"-F", "16"}},
	{FS: "ntfs", MiB: 32},
	{FS: "ext4", MiB: 32},
	{FS: "ext4", MiB: 32, Mkfs: []string{"-O", "^metadata_csum"}},
	{FS: "lvm", MiB: 48, Group: "sys", Volumes: []images.Part{{Name: "data", FS: "ext4", MiB: 16}}},
}

// damagedLimit is how long the deployment of a damaged disk may take. It is less than a test
// waits for a run.
const damagedLimit = 4 * time.Minute

// unhurried returns the installation with so much time for the helper that only one that hangs
// takes all of it: 32 file systems take two minutes on a busy machine.
func unhurried(t *testing.T) *harness.Installation {
	t.Helper()
	limit := damagedLimit*harness.Patience() - 30*time.Second
	return site.With(t, fmt.Sprintf("HELPER_SOFT_TIMEOUT=%d", int(limit.Seconds())))
}

// damagedImage has a healthy root, or none, and a victim of every kind, which the fstab
// mounts. The last one, by chance, is to grow.
func damagedImage(r *rand.Rand, root bool) images.Image {
	const linux = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	tree := images.PlainDebian()
	image := images.Image{Label: "gpt"}
	at := int64(65)
	fstab := "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n/dev/sys/data /mnt/lvm auto nofail 0 0\n"
	tree = append(tree, images.Entry{Path: "mnt/lvm/"})
	for n, i := range r.Perm(len(victimKinds)) {
		p := victimKinds[i]
		p.Number, p.Start, p.Type, p.Name = n+2, at, linux, fmt.Sprint("victim", n)
		p.FSUUID = fmt.Sprintf("5eed0000-0000-4000-8000-0000000000b%d", n)
		p.Label, p.Tree = p.Name, images.Tree{{Path: "etc/hostname", Data: "x\n"}, {Path: "a/b/c", Data: strings.Repeat("x", 9000)}, {Path: "link", Link: "a/b"}}
		for v := range p.Volumes {
			p.Volumes[v].FSUUID, p.Volumes[v].Tree = p.FSUUID, p.Tree
		}
		image.Parts = append(image.Parts, p)
		at += p.MiB
		tree = append(tree, images.Entry{Path: fmt.Sprintf("mnt/%d/", n)})
		fstab += fmt.Sprintf("PARTLABEL=victim%d /mnt/%d auto nofail 0 0\n", n, n)
	}
	if root {
		p := images.Root(1, 1, "ext4", tree.With(images.Entry{Path: "etc/fstab", Data: fstab}))
		p.Type = linux
		image.Parts = append(image.Parts, p)
	}
	image.MiB = at + 1
	return image
}

// damage changes bytes of a partition where it is not empty, up to a few dozen.
func damage(t *testing.T, r *rand.Rand, file string, start, size int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var used []int64
	buf, zeros := make([]byte, images.MiB), make([]byte, 512)
	for at := start; at < start+size; at += int64(len(buf)) {
		if _, err := io.ReadFull(io.NewSectionReader(f, at, int64(len(buf))), buf); err != nil {
			t.Fatal(err)
		}
		for s := 0; s < len(buf); s += 512 {
			if !bytes.Equal(buf[s:s+512], zeros) {
				used = append(used, at+int64(s))
			}
		}
	}
	for range 1 + r.IntN(40) {
		at := used[r.IntN(len(used))] + r.Int64N(512)
		change := make([]byte, 1+r.IntN(8)*r.IntN(2))
		for i := range change {
			change[i] = byte([]int{0, 0xff, 0x7f, 0x80, r.IntN(256)}[r.IntN(5)])
		}
		if _, err := f.WriteAt(change, at); err != nil {
			t.Fatal(err)
		}
	}
}

// corrupt deploys an image with eight damaged file systems, or looks at one. Whatever they
// do to the helper, the host gets an error or a success in time, and the disk is complete
// or blank.
func corrupt(t *testing.T, i int, r *rand.Rand) {
	t.Helper()
	root := i%2 == 1
	j := makeJob(t, damagedImage(r, root))
	_, parts := oracle.ReadTable(t, j.image)
	for n, p := range parts {
		if n > 1 {
			damage(t, r, j.image, p.Start*512, p.Size*512)
		}
	}
	if root {
		judgeDamaged(t, j, unhurried(t).Run(t, j.args("--size", "1200M")...))
		return
	}
	judgeLook(t, unhurried(t).Run(t, "inspect", j.image))
}

// judgeLook looks at the end of an inspection of a damaged image.
func judgeLook(t *testing.T, o harness.Outcome) {
	t.Helper()
	t.Logf("inspect: exit code %d after %v: %s", o.Code, o.Took, lastLine(o.Stderr))
	if o.Took > damagedLimit*harness.Patience() {
		t.Errorf("it took %v", o.Took)
	}
	if o.Code != 0 {
		o.Fails(t, o.Code, ".")
	}
}

// judgeDamaged looks at the end of the deployment of a damaged image.
func judgeDamaged(t *testing.T, j *job, o harness.Outcome) {
	t.Helper()
	t.Logf("exit code %d after %v: %s", o.Code, o.Took, lastLine(o.Stderr))
	if o.Took > damagedLimit*harness.Patience() {
		t.Errorf("it took %v", o.Took)
	}
	if o.Code == 0 {
		harness.NothingLeft(t, j.disk, j.image)
		return
	}
	o.Fails(t, o.Code, ".")
	if o.Code != 3 && o.Code != 7 && o.Code != 8 {
		t.Errorf("exit code %d, want 3, 7 or 8\n%s", o.Code, o)
	}
	if _, err := os.Stat(j.disk); err == nil { // else nothing was written
		j.undone()
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// TestCorrupt has 24 damaged file systems in three helpers.
func TestCorrupt(t *testing.T) {
	combinable(t)
	for _, i := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			corrupt(t, i, rand.New(rand.NewPCG(14, uint64(i))))
		})
	}
}

// TestTortureCorrupt has eight damaged file systems in every run.
func TestTortureCorrupt(t *testing.T) {
	combinable(t)
	endure(t, "corrupt", setting(t, "SNF_CORRUPT", 3), corrupt)
}
