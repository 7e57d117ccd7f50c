package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// fault is something that goes wrong before or while a disk is made.
type fault struct {
	prepare func(t *testing.T, j *job) (*harness.Installation, []string)
	code    int
	line    string // what the last line must match
	disk    fate
}

// fate is what becomes of the disk.
type fate int

const (
	untouched fate = iota // nothing was written: it is as before, and a new file is not there
	blanked               // it was being written: its ends are zero
	either                // the failure comes while the copy starts: one of both
)

// deploying is a prepare that only adds arguments.
func deploying(more ...string) func(*testing.T, *job) (*harness.Installation, []string) {
	return func(_ *testing.T, j *job) (*harness.Installation, []string) { return site, j.args(more...) }
}

// faults before the helper has the disk.
var faults = map[string]fault{
	"image missing": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		j.image += ".gone"
		return site, j.args()
	}, 3, "image.raw.gone", untouched},
	"image empty": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		j.image = j.file("empty", "")
		return site, j.args()
	}, 3, "empty", untouched},
	"image truncated": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		truncate(t, j.image, 30*images.MiB)
		return site, j.args()
	}, 3, "truncated: partition 1", blanked},
	"image damaged": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		// The group descriptors, behind the superblock of the file system at 1 MiB.
		for _, at := range []int64{images.MiB + 2048, images.MiB + 4096} {
			scribble(t, j.image, at, strings.Repeat("\xff", 1024))
		}
		return site, j.args()
	}, 3, `the image is damaged: .*\(kernel: EXT4-fs \(dm-\d+\): .*\).*; fetch or make the image again`, blanked},
	"image without a partition table": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		j.image = j.file("garbage", strings.Repeat("no table", images.MiB/8))
		return site, j.args()
	}, 3, "partition table", blanked},
	"image is the disk": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		j.disk = j.image
		return site, j.args()
	}, 4, "it is the image", untouched},
	"image is the disk by another name": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		if err := os.Link(j.image, j.disk); err != nil {
			t.Fatal(err)
		}
		return site, j.args()
	}, 4, "it is the image", untouched},
	"disk too small": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		truncateNew(t, j.disk, 20*images.MiB)
		return site, []string{"deploy", "--image", j.image, "--disk", j.disk, "--name", "web1"}
	}, 4, "disk.raw", untouched},
	"disk missing": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		return site, []string{"deploy", "--image", j.image, "--disk", j.disk, "--name", "web1"}
	}, 4, "disk.raw", untouched},
	"disk in another format":            {qcow2Disk(), 4, "disk.raw: it is a qcow2 image, not a raw disk file; .*--disk-format raw", untouched},
	"disk in another format, a dry run": {qcow2Disk("--dry-run"), 4, "it is a qcow2 image, .*--disk-format raw", untouched},
	"image in another format": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		qemuImg(t, "create", "-q", "-f", "qed", j.image+".qed", "64M")
		j.image += ".qed"
		return site, j.args()
	}, 3, "it is a QED image, not a dump of a disk; convert it", untouched},
	"image compressed": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		j.image = j.file("image.gz", "\x1f\x8b\x08\x00 and more")
		return site, j.args()
	}, 3, "unpacking gzip: the image is damaged: .*; fetch or make the image again", untouched},
	"disk read-only": {readOnlyDisk, 4, "/dev/loop", untouched},
	"disk full": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		onSmall(t, j, "3m")
		fill(t, j.image, 20*images.MiB, 20)
		return site, j.args()
	}, 4, "disk.raw", blanked},
	"disk full in the helper": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		onSmall(t, j, "40m")
		return site, j.args(custom("head -c 60M /dev/urandom > $SNF_IMAGE_TARGET/big && sync -f $SNF_IMAGE_TARGET/big")...)
	}, 4, "running task RunCustomTask, on .*disk.raw: No space left on device", blanked},
	"disk full in the helper, unnoticed": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		onSmall(t, j, "12m")
		payload := j.file("payload", strings.Repeat("payload ", images.MiB)) // 8 MiB
		return site, j.args("--file", payload+":/root/payload")
	}, 4, "on .*disk.raw: No space left on device", blanked},
	"helper image missing": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		in := site.WithHelperCopy(t)
		if err := os.RemoveAll(in.HelperDir); err != nil {
			t.Fatal(err)
		}
		return in, j.args()
	}, 6, "helper build", untouched},
	"kernel damaged":    {damaged("vmlinux-*"), 6, "helper build", untouched},
	"initramfs damaged": {damaged("initramfs-*"), 6, "helper build", untouched},
	"manifest cut short": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		in := site.WithHelperCopy(t)
		truncate(t, filepath.Join(in.HelperDir, "manifest.json"), 300)
		return in, j.args()
	}, 6, "helper build", untouched},
	"helper image of another version": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		return otherVersion(t), j.args()
	}, 6, "version", untouched},
	"QEMU missing": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		return site.With(t, `KVM="/nonexistent/qemu"`), j.args()
	}, 10, "/nonexistent/qemu", untouched},
	"QEMU that fails": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		return site.With(t, `KVM="/bin/false"`), j.args()
	}, 7, "helper", either},
	"unknown flag":      {deploying("--frobnicate"), 2, "frobnicate", untouched},
	"unknown user":      {deploying("--property", "USERS=nobody-has-this-name", "--password-file", "/dev/null"), 8, "nobody-has-this-name", blanked},
	"relative path":     {deploying("--file", "/etc/hostname:etc/motd"), 2, "etc/motd", untouched},
	"no cloud-init":     {deploying("--property", "CLOUD_INIT=yes"), 8, "InitializeDatasource.*the image has no cloud-init.*leave out the property CLOUD_INIT", blanked},
	"not there yet":     {deploying("--property", "OSFAMILY=openbsd"), 2, "not in this version", untouched},
	"unknown owner":     {deploying("--file", "/etc/hostname:/etc/motd:0644:nobody-has-this-name"), 8, "nobody-has-this-name", blanked},
	"custom task fails": {deploying(custom("echo one reason >&2; exit 3")...), 8, "RunCustomTask.*: CUSTOM_TASK: exit status 3; .*set IMAGE_DEBUG=yes", blanked},
	"kernel panic":      {deploying(custom("echo c > /proc/sysrq-trigger")...), 7, "the kernel of the helper panicked: sysrq triggered crash", blanked},
	"sudden reset":      {deploying(custom("echo b > /proc/sysrq-trigger")...), 7, "before it sent a result .guest-reset", blanked},
	"helper hangs": {func(t *testing.T, j *job) (*harness.Installation, []string) {
		return site.With(t, `HELPER_SOFT_TIMEOUT="8s"`), j.args(custom("sleep 1000")...)
	}, 9, "HELPER_SOFT_TIMEOUT", blanked},
}

// TestFaults shows for each the exit code and last line, that nothing is left
// behind, and that the disk is as it was or does not boot: its ends are zero.
func TestFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, images.Primary("ext4", images.Debian()))
			f.happen(t, j, f.line, name != "disk read-only") // there the test has a loop device itself
		})
	}
}

// happen lets a job fail that way, with that last line, and looks at what is left.
func (f fault) happen(t *testing.T, j *job, line string, free bool) {
	t.Helper()
	original := j.image
	in, args := f.prepare(t, j)
	before, disk := oracle.Digest(t, original, 0, -1), held(t, j.disk)
	in.Run(t, args...).Fails(t, f.code, line)
	same := held(t, j.disk) == disk
	switch {
	case f.disk == blanked, f.disk == either && !same:
		j.undone()
	case !same:
		t.Error("the disk changed")
	case free:
		harness.NothingLeft(t, j.disk, j.image)
	}
	if oracle.Digest(t, original, 0, -1) != before {
		t.Error("the image changed")
	}
}

// held tells apart what a disk file holds, and that there is none.
func held(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return "none"
	}
	return oracle.Digest(t, path, 0, -1)
}

// TestVersionCheckForgives shows that VERSION_CHECK=no forgives the difference
// in version that is refused above, with a warning.
func TestVersionCheckForgives(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	o := otherVersion(t).With(t, `VERSION_CHECK="no"`).Run(t, j.args()...).OK(t)
	if !strings.Contains(o.Stderr, "snf-image: warning: ") || !strings.Contains(o.Stderr, "9.9.9") {
		t.Errorf("no warning names the other version\n%s", o)
	}
	j.done()
}

// otherVersion returns an installation whose helper image says it is of another
// release.
func otherVersion(t *testing.T) *harness.Installation {
	t.Helper()
	in := site.WithHelperCopy(t)
	path := filepath.Join(in.HelperDir, "manifest.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	manifest["release"] = "9.9.9"
	if b, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return in
}

// damaged changes one byte in the middle of a file of the helper image.
func damaged(pattern string) func(*testing.T, *job) (*harness.Installation, []string) {
	return func(t *testing.T, j *job) (*harness.Installation, []string) {
		in := site.WithHelperCopy(t)
		names, err := filepath.Glob(filepath.Join(in.HelperDir, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s in the helper image: %q, %v", pattern, names, err)
		}
		b, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 0x10
		if err := os.WriteFile(names[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
		return in, j.args()
	}
}

// qcow2Disk makes the disk a qcow2 image, which is not to be overwritten.
func qcow2Disk(more ...string) func(*testing.T, *job) (*harness.Installation, []string) {
	return func(t *testing.T, j *job) (*harness.Installation, []string) {
		qemuImg(t, "create", "-q", "-f", "qcow2", j.disk, "256M")
		return site, j.args(more...)
	}
}

// scribble writes text into a file.
func scribble(t *testing.T, path string, at int64, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(text), at)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func qemuImg(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img %v: %v\n%s", args, err, out)
	}
}

// readOnlyDisk makes the disk a read-only loop device.
func readOnlyDisk(t *testing.T, j *job) (*harness.Installation, []string) {
	truncateNew(t, j.disk, 256*images.MiB)
	dev := loop(t, j.disk, "--read-only")
	return site, []string{"deploy", "--image", j.image, "--disk", dev, "--name", "web1"}
}

// onSmall puts the disk file on a file system with room for a part of it.
func onSmall(t *testing.T, j *job, size string) {
	t.Helper()
	dir := filepath.Join(j.dir, "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	sh(t, "mount", "-t", "tmpfs", "-o", "size="+size, "none", dir)
	t.Cleanup(func() { sh(t, "umount", dir) })
	j.disk = filepath.Join(dir, "disk.raw")
}

// fill writes incompressible-looking data into the image's file system area.
func fill(t *testing.T, path string, offset int64, mib int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte("data"), mib*images.MiB/4), offset); err != nil {
		t.Fatal(err)
	}
}

// loop attaches a file to a loop device until the test ends.
func loop(t *testing.T, path string, options ...string) string {
	t.Helper()
	args := append([]string{"losetup", "--find", "--show"}, options...)
	dev := strings.TrimSpace(sh(t, append(args, path)...))
	t.Cleanup(func() { sh(t, "losetup", "--detach", dev) })
	return dev
}

func sh(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func truncateNew(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	truncate(t, path, size)
}
