package filesystem

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// sample is how the suite makes, breaks and checks a file system of one kind, with the
// tools of its own makers. A kind joins the suite with a sample.
type sample struct {
	name     string
	kind     string // blkid's TYPE
	mib      int64
	mkfs     []string                          // the path is appended
	fsck     []string                          // fails when something is wrong, changes nothing
	damage   func(t *testing.T, path string)   // breaks what only a person repairs
	tooLarge func(size int64) (tooLarge int64) // a size it cannot grow to, 0 for none
}

// samples are in the order of kinds.
func samples() []sample {
	noRootDir := func(t *testing.T, path string) { run(t, "debugfs", "-w", "-R", "clri <2>", path) }
	ext := func(kind string) sample {
		return sample{
			name: kind, kind: kind, mib: 32, mkfs: []string{"mke2fs", "-q", "-t", kind, "-b", "4096", "-O", "^64bit"},
			fsck: []string{"e2fsck", "-f", "-n"}, damage: noRootDir, tooLarge: func(int64) int64 { return 17 << 40 },
		}
	}
	xfs := func(name string, mkfs ...string) sample {
		return sample{
			name: name, kind: "xfs", mib: 320, mkfs: append([]string{"mkfs.xfs", "-q"}, mkfs...),
			fsck: []string{"xfs_repair", "-n"}, damage: func(t *testing.T, path string) { scribble(t, path, 512) },
		}
	}
	return []sample{
		ext("ext2"), ext("ext3"), ext("ext4"),
		xfs("xfs", "-m", "crc=1"), xfs("xfs V4", "-m", "crc=0"), xfs("xfs, blocks of 1 KiB", "-b", "size=1024"),
		{
			name: "btrfs", kind: "btrfs", mib: 128, mkfs: []string{"mkfs.btrfs", "-q"},
			fsck: []string{"btrfs", "check", "--readonly"}, damage: breakBtrfs,
		},
		{
			name: "ntfs", kind: "ntfs", mib: 32, mkfs: []string{"mkntfs", "-q", "-F"},
			fsck: []string{"ntfsresize", "-i", "-f", "-f"}, damage: breakNTFS,
			tooLarge: func(int64) int64 { return 16<<40 + 4096 },
		},
		{name: "vfat", kind: "vfat", mib: 32, mkfs: []string{"mkfs.vfat"}, fsck: []string{"fsck.vfat", "-n"}},
	}
}

// TestSamples demands a sample for each type that is mounted.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		for _, kind := range k.Types {
			has := slices.ContainsFunc(samples(), func(s sample) bool { return s.kind == kind })
			if has != (k.Driver != "") {
				t.Errorf("%s: in the suite: %v, has a driver: %q", kind, has, k.Driver)
			}
		}
		if (k.Extent == nil) != (k.Fills == nil) || (k.Extent == nil) != (k.CanFill == nil) || (k.Verify == nil) != (k.Check == nil) {
			t.Errorf("%s: half of a row", k.Name)
		}
	}
}

// TestKinds makes and breaks a file system of each kind. They are mounted and grown in
// tests/vm (grow_test.go, filesystems_test.go), by the helper's kernel.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			t.Run("made", func(t *testing.T) { t.Parallel(); s.testMade(t) })
			t.Run("broken", func(t *testing.T) { t.Parallel(); s.testBroken(t) })
		})
	}
}

// make makes the file system.
func (s sample) make(t *testing.T) Volume {
	t.Helper()
	v := []Volume{{Name: s.name, Path: file(t, s.mib, s.mkfs...), Number: 1}}
	tool(t, "blkid")
	if err := Probe(t.Context(), v); err != nil || v[0].Type != s.kind {
		t.Fatalf("Probe = %v, type %q", err, v[0].Type)
	}
	return v[0]
}

// testMade has a new file system: it is sound, full, and looking at it changes nothing.
func (s sample) testMade(t *testing.T) {
	v := s.make(t)
	k := v.Kind()
	before := read(t, v.Path)
	if k.Check != nil {
		for _, force := range []bool{false, true} {
			if repaired, err := k.Check(t.Context(), v.Path, force); repaired || err != nil {
				t.Errorf("Check(%v) = %v, %v", force, repaired, err)
			}
		}
		s.sound(t, v)
		if err := k.Verify(t.Context(), v.Path); err != nil {
			t.Errorf("Verify = %v", err)
		}
	}
	if k.Extent == nil {
		if !bytes.Equal(read(t, v.Path), before) {
			t.Error("it is changed")
		}
		return
	}
	size := s.mib << 20
	if got, err := k.Extent(v.Path); err != nil || got > size || got < size-size/8 {
		t.Errorf("Extent = %d, %v of %d", got, err, size)
	}
	if k.Least != nil {
		if got, err := k.Least(t.Context(), v.Path); err != nil || got < 1<<20 || got > size/2 {
			t.Errorf("Least = %d, %v of %d", got, err, size)
		}
	}
	if !k.Fills(v.Path) {
		t.Error("a new file system does not fill its device")
	}
	if err := k.CanFill(v.Path, 4*size); err != nil {
		t.Errorf("CanFill(%d) = %v", 4*size, err)
	}
	s.testLimit(t, v)
}

// testLimit has a size that is too large, and the largest one.
func (s sample) testLimit(t *testing.T, v Volume) {
	if s.tooLarge == nil {
		return
	}
	size := s.tooLarge(s.mib << 20)
	err := v.Kind().CanFill(v.Path, size)
	limit, ok := errors.AsType[*LimitError](err)
	if !ok || limit.Limit >= size || v.Kind().CanFill(v.Path, limit.Limit) != nil {
		t.Errorf("CanFill(%d) = %v, want a smaller limit", size, err)
	}
}

// testBroken has one that needs a person, and one of zeros.
func (s sample) testBroken(t *testing.T) {
	v := s.make(t)
	k := v.Kind()
	if k.Check == nil {
		return
	}
	s.damage(t, v.Path)
	if err := exec.Command(s.fsck[0], append(s.fsck[1:], v.Path)...).Run(); err == nil {
		t.Fatalf("%q finds nothing wrong", s.fsck)
	}
	before := read(t, v.Path)
	if err := k.Verify(t.Context(), v.Path); !errors.Is(err, ErrUnclean) {
		t.Errorf("Verify = %v, want %v", err, ErrUnclean)
	}
	if !bytes.Equal(read(t, v.Path), before) {
		t.Error("Verify changed it")
	}
	if _, err := k.Check(t.Context(), v.Path, true); !errors.Is(err, ErrUnclean) {
		t.Errorf("Check = %v, want %v", err, ErrUnclean)
	}
	if k.Fills != nil && k.Fills(file(t, 1)) {
		t.Error("zeros are a file system that fills its device")
	}
	for _, force := range []bool{false, true} {
		if _, err := k.Check(t.Context(), file(t, 1), force); err == nil {
			t.Errorf("Check(%v) of zeros succeeded", force)
		}
	}
}

func (s sample) sound(t *testing.T, v Volume) {
	t.Helper()
	run(t, append(s.fsck, v.Path)...)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scribble overwrites 64 bytes.
func scribble(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0x5a}, 64), at); err != nil {
		t.Fatal(err)
	}
}

// breakBtrfs overwrites every copy of a node of the tree of files: blocks that begin with a
// checksum, the UUID, and at 0x58 the number of the tree they belong to.
func breakBtrfs(t *testing.T, path string) {
	t.Helper()
	const step, uuidAt, ownerAt, fsTree = 4096, 0x20, 0x58, 5
	data := read(t, path)
	uuid := data[btrfsAt+uuidAt:][:16]
	for at := 0; at+step <= len(data); at += step {
		b := data[at:]
		if bytes.Equal(b[uuidAt:][:16], uuid) && binary.LittleEndian.Uint64(b[ownerAt:]) == fsTree {
			scribble(t, path, int64(at)+200)
		}
	}
}

// breakNTFS takes the bits of clusters away that are in use, from the map of clusters: the
// file $Bitmap, record 6 of the table of files, which has four clusters of a new file system.
func breakNTFS(t *testing.T, path string) {
	t.Helper()
	const record, cluster = 1024, 4096
	data := read(t, path)
	table := binary.LittleEndian.Uint64(data[48:]) * cluster
	at := bytes.Index(data[table+6*record:][:record], []byte{0x80, 0, 0, 0}) // its data
	run := data[int(table)+6*record+at+64:]                                  // its only one: length and place, of as many bytes as the first one says
	length, place := int(run[0]&15), int(run[0]>>4)
	at64 := make([]byte, 8)
	copy(at64, run[1+length:][:place])
	scribble(t, path, int64(binary.LittleEndian.Uint64(at64))*cluster)
}
