package target

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

const testSize = 8 << 20

func newDisk(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func loop(t *testing.T, path string, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a loop device")
	}
	out, err := exec.Command("losetup", append(args, "--find", "--show", path)...).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	return dev
}

func open(t *testing.T, path string, o Options) *Disk {
	t.Helper()
	d, err := Open(path, o)
	if err != nil {
		t.Fatalf("Open(%s) = %v", path, err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo, dangling := dir+"/fifo", dir+"/dangling"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path string
		o    Options
		kind report.Kind
		want string
	}{
		"missing":          {dir + "/none", Options{}, report.Disk, "give a size to create"},
		"missing device":   {"/dev/snf-image-none", Options{Size: testSize}, report.Disk, "disk files are not created in /dev"},
		"directory":        {dir, Options{}, report.Disk, "it is a directory"},
		"fifo":             {fifo, Options{}, report.Disk, "it is a FIFO"},
		"character device": {"/dev/null", Options{}, report.Disk, "it is a character device"},
		"dangling link":    {dangling, Options{Size: testSize}, report.Disk, "symbolic link to something that does not exist"},
		"no directory":     {dir + "/a/b", Options{Size: testSize}, report.Disk, "its directory does not exist"},
		"shrink":           {newDisk(t, 2*testSize), Options{Size: testSize}, report.Disk, "never made smaller"},
		"odd size":         {newDisk(t, testSize+100), Options{}, report.Disk, "not a whole number of 512-byte sectors"},
		"too small":        {newDisk(t, MinSize-512), Options{}, report.Disk, "needs at least 4194304"},
		"image too large":  {newDisk(t, testSize), Options{ImageSize: testSize + 512}, report.Disk, "the image needs 8389120"},
		"new, too small":   {dir + "/n", Options{Size: testSize, ImageSize: testSize + 512}, report.Disk, "the image needs"},
		"asked odd size":   {dir + "/n", Options{Size: testSize + 1}, report.Usage, "not a whole number"},
		"asked tiny size":  {dir + "/n", Options{Size: 512}, report.Usage, "too few"},
		"asked huge size":  {dir + "/n", Options{Size: 1 << 62}, report.Disk, "make room"},
		"read-only new":    {dir + "/n", Options{Size: testSize, ReadOnly: true}, report.Disk, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tc.path, tc.o, tc.kind, tc.want)
			if name := dir + "/n"; tc.path == name {
				if _, err := os.Lstat(name); err == nil {
					t.Error("the refused disk file was left behind")
				}
			}
		})
	}
}

// TestOpenForeign: a disk file in another format is overwritten only when its bytes are
// said to be those of a disk; what only reads, and a device, may be anything.
func TestOpenForeign(t *testing.T) {
	t.Parallel()
	path := newDisk(t, testSize)
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, "64M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Truncate(path, testSize); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {Size: 2 * testSize}, {Existing: true}, {DryRun: true}} {
		refused(t, path, o, report.Disk, "it is a qcow2 image, not a raw disk file; write to the disk in it with --disk-format qcow2, name another file, or")
	}
	for _, o := range []Options{{Raw: true}, {ReadOnly: true}} {
		if err := open(t, path, o).Close(); err != nil {
			t.Error(err)
		}
	}
}

// refused opens a disk that must be refused without being changed.
func refused(t *testing.T, path string, o Options, kind report.Kind, want string) {
	t.Helper()
	before, _ := os.Stat(path)
	d, err := Open(path, o)
	if err == nil {
		d.Close()
		t.Fatalf("Open(%s, %+v) succeeded, want %q", path, o, want)
	}
	if report.KindOf(err) != kind || !strings.Contains(err.Error(), want) {
		t.Errorf("Open(%s) = %v (%s), want %q (%s)", path, err, report.KindOf(err), want, kind)
	}
	if after, _ := os.Stat(path); before != nil && (after == nil || after.Size() != before.Size()) {
		t.Errorf("the refused disk was changed")
	}
}

func TestOpenRefusesImage(t *testing.T) {
	t.Parallel()
	file := newDisk(t, testSize)
	hard, soft := file+".hard", file+".soft"
	if err := errors.Join(os.Link(file, hard), os.Symlink(file, soft)); err != nil {
		t.Fatal(err)
	}
	dev := loop(t, file)
	for name, tc := range map[string]struct{ image, disk string }{
		"same file":         {file, file},
		"hard link":         {file, hard},
		"symbolic link":     {file, soft},
		"same device":       {dev, dev},
		"loop on the image": {file, dev},
		"file under a loop": {dev, file},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := os.Open(tc.image)
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			refused(t, tc.disk, Options{Image: img, ImageSize: testSize}, report.Disk, "it is the image itself")
		})
	}
}

// TestOpenAmongOthers names a disk of the same run a second time.
func TestOpenAmongOthers(t *testing.T) {
	t.Parallel()
	file := newDisk(t, testSize)
	link := file + ".link"
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	first := open(t, file, Options{})
	defer first.Close()
	for _, o := range []Options{{}, {ReadOnly: true}, {DryRun: true}} {
		o.Others = []*Disk{first}
		refused(t, link, o, report.Usage, "it is the disk "+file+", or shares bytes with it; name each disk once")
	}
	other := open(t, newDisk(t, testSize), Options{Others: []*Disk{first}})
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	parted := newDisk(t, 16<<20)
	if out, err := exec.Command("sh", "-c", "echo ', , L' | /usr/sbin/sfdisk -q "+parted).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dev := loop(t, parted)
	whole := open(t, dev, Options{})
	defer whole.Close()
	refused(t, parted, Options{Others: []*Disk{whole}}, report.Usage, "it is the disk "+dev)
}

func TestSamePartitions(t *testing.T) {
	t.Parallel()
	disk := identity{device: true, rdev: 8 << 8, whole: 8 << 8}
	part := func(n uint64) identity {
		return identity{device: true, rdev: 8<<8 | n, whole: 8 << 8, wholePart: true}
	}
	for name, tc := range map[string]struct {
		a, b identity
		want bool
	}{
		"disk and itself":         {disk, disk, true},
		"disk and its partition":  {disk, part(1), true},
		"two partitions":          {part(1), part(2), false},
		"a partition and itself":  {part(1), part(1), true},
		"two disks":               {disk, identity{device: true, rdev: 1, whole: 1}, false},
		"file and device":         {identity{dev: 1, ino: 2, backed: true}, disk, false},
		"two devices, no backing": {disk, identity{device: true, rdev: 9, whole: 9}, false},
	} {
		if got := same(tc.a, tc.b); got != tc.want {
			t.Errorf("%s: same = %v, want %v", name, got, tc.want)
		}
		if got := same(tc.b, tc.a); got != tc.want {
			t.Errorf("%s, reversed: same = %v, want %v", name, got, tc.want)
		}
	}
}

func TestOpenDevices(t *testing.T) {
	t.Parallel()
	backing := newDisk(t, testSize)
	dev := loop(t, backing)
	refused(t, dev, Options{Size: 2 * testSize}, report.Usage, "a device has the size it has")
	refused(t, backing, Options{}, report.Busy, "it backs the loop device "+dev)
	d := open(t, dev, Options{ImageSize: testSize})
	if !d.Device || d.Size != testSize {
		t.Errorf("Open = %+v, want a device of 8 MiB", d)
	}
	refused(t, dev, Options{}, report.Busy, "mounted or in use")
	refused(t, loop(t, newDisk(t, testSize), "--read-only"), Options{}, report.Disk, "it is read-only; make it writable")
}

func TestOpenMounted(t *testing.T) {
	t.Parallel()
	dev := loop(t, newDisk(t, testSize))
	if out, err := exec.Command("mkfs.ext2", "-q", dev).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext2: %s", out)
	}
	dir := t.TempDir()
	if err := unix.Mount(dev, dir, "ext4", 0, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, 0) }()
	refused(t, dev, Options{}, report.Busy, "mounted or in use; unmount it")
}

func TestOpenSwap(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root for swapon")
	}
	path := filepath.Join(t.TempDir(), "swap file")
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, testSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", `mkswap "$1" && swapon "$1"`, "sh", path).CombinedOutput(); err != nil {
		t.Skipf("swapon: %s", out)
	}
	defer func() { _ = exec.Command("swapoff", path).Run() }()
	refused(t, path, Options{}, report.Busy, "swap")
}

func TestCreateExtendUndo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	dry := open(t, path, Options{Size: testSize, DryRun: true})
	if _, err := os.Stat(path); err == nil || !dry.Created || dry.Size != testSize {
		t.Fatalf("a dry run gives %+v, and the file exists: %v", dry, err == nil)
	}
	d := open(t, path, Options{Size: testSize})
	st, err := os.Stat(path)
	if err != nil || st.Size() != testSize || st.Mode().Perm() != 0o600 || !d.Created {
		t.Fatalf("created %v, %+v (%v)", st, d, err)
	}
	if err := errors.Join(d.Undo(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("Undo left the created file")
	}
	old := newDisk(t, testSize)
	open(t, old, Options{Size: 2 * testSize, DryRun: true}).Close()
	d = open(t, old, Options{Size: 2 * testSize, ImageSize: 2 * testSize})
	if st, _ := os.Stat(old); st.Size() != 2*testSize || !d.Extended || d.Size != 2*testSize {
		t.Fatalf("extended to %d, %+v", st.Size(), d)
	}
	if err := d.Undo(); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(old); st.Size() != testSize {
		t.Errorf("after Undo the file has %d bytes", st.Size())
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	path := newDisk(t, testSize)
	d := open(t, path, Options{})
	refused(t, path, Options{}, report.Busy, "has locked it")
	refused(t, path, Options{ReadOnly: true}, report.Busy, "has locked it")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, Options{ReadOnly: true})
	open(t, path, Options{ReadOnly: true})
	refused(t, path, Options{}, report.Busy, "locked")
}
