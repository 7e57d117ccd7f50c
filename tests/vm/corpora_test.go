package vm

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
)

// perHelper is how many file systems of the corpora one helper meets.
const perHelper = 32

// TestTortureCorpora has the damaged and odd file systems with which the makers of the tools
// test these: many beside a healthy root, whose fstab mounts them, and then each that is
// checked and grown alone, behind that root. Whatever they do to the helper, the host gets an
// error or a success in time, and the disk is complete or blank.
func TestTortureCorpora(t *testing.T) {
	combinable(t)
	harness.Gate(t, "btrfs-image", "xxd", "rev", "bzip2")
	dir := built(t, "../images/corpora.sh")
	find := func(patterns ...string) (found []string) {
		for _, p := range patterns {
			names, err := filepath.Glob(filepath.Join(dir, p))
			if err != nil || len(names) == 0 {
				t.Fatalf("no corpus %s: %v", p, err)
			}
			found = append(found, names...)
		}
		return found
	}
	batches := slices.Collect(slices.Chunk(find("*/*.img"), perHelper))
	alone := find("e2fsprogs/*.img", "btrfs-progs/*.img", "util-linux/*xfs*.img")
	endure(t, "corpora", setting(t, "SNF_CORPORA", len(batches)+len(alone)), func(t *testing.T, i int, _ *rand.Rand) {
		if i <= len(batches) {
			j, size := beside(t, batches[i-1])
			judgeLook(t, unhurried(t).Run(t, "inspect", j.image))
			judgeDamaged(t, j, unhurried(t).Run(t, j.args("--size", fmt.Sprint(size), "--property", "GROW=1")...))
		} else if i -= len(batches) + 1; i < len(alone) {
			j, size := beside(t, alone[i:i+1])
			judgeDamaged(t, j, unhurried(t).Run(t, j.args("--size", fmt.Sprint(size+64*images.MiB))...))
		}
	})
}

// beside makes an image of size bytes with a healthy root, and a partition for each of the files
// behind it, which its fstab mounts. The last one is to grow.
func beside(t *testing.T, files []string) (j *job, size int64) {
	t.Helper()
	const linux = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	tree := images.PlainDebian()
	fstab := "UUID=" + images.RootUUID + " / ext4 defaults 0 1\n"
	image := images.Image{Label: "gpt"}
	at := int64(65)
	for n, file := range files {
		mib := fileSize(t, file)/images.MiB + 1
		image.Parts = append(image.Parts, images.Part{Number: n + 2, Start: at, MiB: mib, Type: linux, Name: fmt.Sprint("victim", n), FS: "-"})
		at += mib
		tree = append(tree, images.Entry{Path: fmt.Sprintf("mnt/%d/", n)})
		fstab += fmt.Sprintf("PARTLABEL=victim%d /mnt/%d auto nofail 0 0\n", n, n)
	}
	root := images.Root(1, 1, "ext4", tree.With(images.Entry{Path: "etc/fstab", Data: fstab}))
	root.Type, image.MiB = linux, at+1
	image.Parts = append(image.Parts, root)
	j = makeJob(t, image)
	for n, file := range files {
		copyTo(t, j.image, image.Parts[n].Start*images.MiB, file)
	}
	t.Logf("%s to %s", files[0], files[len(files)-1])
	return j, image.MiB * images.MiB
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// copyTo copies what is not zero of a file into another one.
func copyTo(t *testing.T, to string, at int64, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	buf, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(in, buf)
		if n > 0 && !slices.Equal(buf[:n], zeros[:n]) {
			writeAt(t, out, at, buf[:n])
		}
		at += int64(n)
		if err != nil {
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatal(err)
			}
			return
		}
	}
}
