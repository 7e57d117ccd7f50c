// Package images makes small disk images for tests: a partition table, file
// systems and files in them, in about a second, without mounting anything.
// Beside it lie the scripts that build real, bootable Debian images.
//
// Images are made from literals and files staged in a temporary directory of
// the test. Staging owners and device nodes needs root.
package images

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// MiB is the unit of the positions and sizes in this package.
const MiB = 1 << 20

// Image describes a disk image.
type Image struct {
	Label string // "gpt" or "dos", "" for one file system on the whole disk
	MiB   int64
	Parts []Part // in the order of the disk; extended before its logical ones
}

// Part is one partition.
type Part struct {
	Number int // on dos 5 and more are logical
	Start  int64
	MiB    int64
	Type   string // as sfdisk takes it
	Name   string // GPT only
	Boot   bool   // the active flag, dos only
	UUID   string // GPT only

	FS     string // "ext2", "ext3", "ext4", "xfs", "btrfs", "ntfs", "vfat", "swap", "lvm"; "" fills it with a pattern, "-" leaves it
	Label  string
	FSUUID string
	Tree   Tree // ext, xfs and btrfs only; xfs without hard links, attributes and names with blanks
	// Mkfs are further arguments of the program that makes the file system, but swap.
	Mkfs []string
	// State is one of those that Windows leaves NTFS in.
	State string
	// Group is the name of the volume group that "lvm" makes the partition a part of. The
	// last partition with that name makes it, and its Volumes. Those have no Number,
	// Start and Type, and Name is their name.
	Group   string
	Volumes []Part
	// Stripes, of the first of the Volumes, are over how many of the partitions it lies, in
	// chunks of 64 KiB; 0 for the last one alone.
	Stripes int64
}

// Write makes the image at path, which must not exist, and returns path.
func (i Image) Write(t testing.TB, path string) string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(i.MiB * MiB); err != nil {
		t.Fatal(err)
	}
	if i.Label != "" {
		i.writeBootCode(t, f)
		run(t, strings.NewReader(i.script()), "sfdisk", "--quiet", "--wipe", "never", path)
	}
	for _, p := range i.Parts {
		p.write(t, f, path)
	}
	i.writeGroups(t, f, path)
	return path
}

// Part returns the partition with that number.
func (i Image) Part(t testing.TB, number int) Part {
	t.Helper()
	for _, p := range i.Parts {
		if p.Number == number {
			return p
		}
	}
	t.Fatalf("the image has no partition %d", number)
	return Part{}
}

// writeBootCode fills the boot code of the MBR and the gap behind the table
// with a pattern, as a boot loader would: none of it may ever change.
func (i Image) writeBootCode(t testing.TB, f *os.File) {
	t.Helper()
	const gap = 64 * 512
	for at, n := range map[int64]int{0: 440, gap: MiB - gap} {
		if _, err := f.WriteAt(pattern("boot code", n), at); err != nil {
			t.Fatal(err)
		}
	}
}

// script is the input of sfdisk.
func (i Image) script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "label: %s\n", i.Label)
	if i.Label == "gpt" {
		b.WriteString("label-id: 5EED0000-0000-4000-8000-000000000001\n")
	} else {
		b.WriteString("label-id: 0x5eed0001\n")
	}
	for _, p := range i.Parts {
		fmt.Fprintf(&b, "%d: start=%d, size=%d, type=%s", p.Number, p.Start*MiB/512, p.MiB*MiB/512, p.Type)
		for key, value := range map[string]string{"name": p.Name, "uuid": p.UUID} {
			if value != "" {
				fmt.Fprintf(&b, ", %s=%q", key, value)
			}
		}
		if p.Boot {
			b.WriteString(", bootable")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// write fills the partition.
func (p Part) write(t testing.TB, f *os.File, image string) {
	t.Helper()
	offset := p.Start * MiB
	switch p.FS {
	case "-", "lvm":
	case "":
		if _, err := f.WriteAt(pattern(fmt.Sprint("partition ", p.Number), int(p.MiB*MiB)), offset); err != nil {
			t.Fatal(err)
		}
	case "vfat":
		args := append([]string{"mkfs.vfat", "--offset", fmt.Sprint(offset / 512), "-i", "5EED0001", "-n", "ESP"}, p.Mkfs...)
		run(t, nil, append(args, image, fmt.Sprint(p.MiB*1024))...)
	case "swap":
		p.writeSwap(t, f, offset)
	case "ntfs":
		p.writeNTFS(t, f)
	case "xfs", "btrfs":
		p.writeApart(t, image)
	default:
		p.writeExt(t, offset, image)
	}
}

// writeSwap makes the swap area in a file of its own: mkswap knows no offset.
func (p Part) writeSwap(t testing.TB, f *os.File, offset int64) {
	t.Helper()
	area := filepath.Join(t.TempDir(), "swap")
	if err := os.WriteFile(area, make([]byte, p.MiB*MiB), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "mkswap", "-q", "-U", p.FSUUID, "-L", p.Label, area)
	b, err := os.ReadFile(area)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, offset); err != nil {
		t.Fatal(err)
	}
}

func (p Part) writeExt(t testing.TB, offset int64, image string) {
	t.Helper()
	dir := t.TempDir()
	p.Tree.stage(t, dir)
	args := append([]string{"mke2fs", "-q", "-F", "-t", p.FS, "-L", p.Label, "-U", p.FSUUID, "-d", dir}, p.Mkfs...)
	run(t, nil, append(args, "-E", fmt.Sprintf("offset=%d,root_owner=0:0", offset), image, fmt.Sprintf("%dk", p.MiB*1024))...)
}

// pattern returns n bytes that say where they belong.
func pattern(what string, n int) []byte {
	text := []byte(what + ", not to be changed. ")
	return bytes.Repeat(text, n/len(text)+1)[:n]
}
