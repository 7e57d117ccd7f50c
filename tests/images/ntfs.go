package images

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"golang.org/x/sys/unix"
)

// Partition types of Windows, as sfdisk takes them.
const (
	BasicGPT    = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	reservedGPT = "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"
	RecoveryGPT = "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"
)

// writeNTFS makes the file system in a file of its own, where a program mounts it for the
// tree.
func (p Part) writeNTFS(t testing.TB, image *os.File) {
	t.Helper()
	dir := t.TempDir()
	area := filepath.Join(dir, "area")
	if err := os.WriteFile(area, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(area, p.MiB*MiB); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"mkntfs", "-q", "-F", "-L", p.Label, "-p", fmt.Sprint(p.Start * MiB / 512), "-H", "255", "-S", "63"}, p.Mkfs...)
	run(t, nil, append(args, area)...)
	tree := p.Tree
	if p.State == NTFSHibernated {
		tree = tree.With(HiberFile("hibr"))
	}
	OnNTFS(t, area, func(dir string) {
		if p.State == NTFSCompressed {
			compress(t, dir)
		}
		tree.stage(t, dir)
	})
	data, err := os.ReadFile(area)
	if err == nil {
		err = setNTFSState(data, p.State)
	}
	if err == nil {
		_, err = image.WriteAt(data, p.Start*MiB)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// OnNTFS has use called with the directory where the NTFS file system in a file is mounted,
// with access control lists.
func OnNTFS(t testing.TB, file string, use func(dir string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ntfs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "ntfs-3g", "-o", "permissions,norecover,compression", file, dir)
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Fatalf("unmounting NTFS: %v: %s", err, out)
			}
		}
	}
	defer unmount()
	use(dir)
}

// Attributes is the attribute by which ntfs-3g shows the attributes that Windows has of a file,
// of which Compressed is one.
const (
	Attributes = "system.ntfs_attrib_be"
	Compressed = 0x800
)

// compress has files that are made in a directory compressed, and those in directories that are
// made there.
func compress(t testing.TB, dir string) {
	t.Helper()
	if err := unix.Setxattr(dir, Attributes, []byte{0, 0, Compressed >> 8, Compressed & 0xff}, 0); err != nil {
		t.Fatal(err)
	}
}

// reparseData is the attribute by which ntfs-3g shows what a reparse point is.
const reparseData = "system.ntfs_reparse_data"

// Junction is a directory that Windows has lead to another one.
func Junction(path, target string) Entry {
	const mountPoint = 0xa0000003
	wide := func(s string) (out []byte) {
		for _, u := range utf16.Encode([]rune(s)) {
			out = binary.LittleEndian.AppendUint16(out, u)
		}
		return out
	}
	name, shown := wide(`\??\`+target), wide(target)
	var data []byte
	for _, n := range []int{0, len(name), len(name) + 2, len(shown)} {
		data = binary.LittleEndian.AppendUint16(data, uint16(n))
	}
	data = bytes.Join([][]byte{data, name, {0, 0}, shown, {0, 0}}, nil)
	head := binary.LittleEndian.AppendUint32(nil, mountPoint)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(data)))
	return Entry{Path: path + "/", XAttrs: map[string]string{reparseData: string(append(head, data...))}}
}

// WindowsGPT is a disk as the set-up of Windows makes it since 10: EFI system partition, the
// reserved one, C:, and behind it the partition for recovery.
func WindowsGPT(tree Tree) Image {
	return Image{Label: "gpt", MiB: 148, Parts: []Part{
		{Number: 1, Start: 1, MiB: 8, Type: espGPT, Name: "EFI system partition", FS: "vfat"},
		{Number: 2, Start: 9, MiB: 2, Type: reservedGPT, Name: "Microsoft reserved partition", FS: "-"},
		{Number: 3, Start: 11, MiB: 96, Type: BasicGPT, Name: "Basic data partition", FS: "ntfs", Label: "Windows", Tree: tree},
		{
			Number: 4, Start: 107, MiB: 40, Type: RecoveryGPT, Name: "Recovery", UUID: "5EED0004-0000-4000-8000-000000000004",
			FS: "ntfs", Label: "WinRE", Tree: Tree{{Path: "Recovery/WindowsRE/winre.wim", Data: string(pattern("recovery", 3<<20))}},
		},
	}}
}

// WindowsMBR is an older one: a partition that boots, and C:.
func WindowsMBR(tree Tree) Image {
	return Image{Label: "dos", MiB: 120, Parts: []Part{
		{Number: 1, Start: 1, MiB: 16, Type: "7", Boot: true, FS: "ntfs", Label: "System Reserved", Tree: Tree{{Path: "Boot/BCD", Data: "boot"}}},
		{Number: 2, Start: 17, MiB: 102, Type: "7", FS: "ntfs", Label: "Windows", Tree: tree},
	}}
}
