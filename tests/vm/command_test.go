package vm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestInspect compares what inspect says with what sfdisk says; the image is
// not changed.
func TestInspect(t *testing.T) {
	j := newJob(t, images.GPT("ext4", images.Debian()))
	before := oracle.Digest(t, j.image, 0, -1)
	o := site.Run(t, "inspect", "--json", j.image).OK(t)
	var in report.Inspection
	if err := json.Unmarshal([]byte(o.Stdout), &in); err != nil {
		t.Fatalf("%v: %s", err, o.Stdout)
	}
	table, parts := oracle.ReadTable(t, j.image)
	if in.Table != table.Label || !strings.EqualFold(in.TableID, table.ID) || len(in.Partitions) != len(parts) {
		t.Errorf("table = %s %s with %d partitions, want %s %s with %d", in.Table, in.TableID, len(in.Partitions),
			table.Label, table.ID, len(parts))
	}
	for _, p := range in.Partitions {
		want := parts[p.Number]
		if p.Start != want.Start*512 || p.Size != want.Size*512 || !strings.EqualFold(p.Type, want.Type) || p.Name != want.Name {
			t.Errorf("partition %d = %+v, sfdisk says %+v", p.Number, p, want)
		}
	}
	if in.OSFamily != "linux" || in.RootPartition != 3 || in.Distribution != "debian" || in.Hostname != images.Hostname || in.Network != "ifupdown" {
		t.Errorf("system = %+v", in)
	}
	if in.RootFilesystem != "ext4" || !slices.Contains(in.RootFeatures, "extent") || !slices.Equal(in.BootModes, []string{"bios"}) || in.SELinux != nil {
		t.Errorf("root %s %v, boots by %v, SELinux %v, want ext4, bios, none", in.RootFilesystem, in.RootFeatures, in.BootModes, in.SELinux)
	}
	text := site.Run(t, "inspect", j.image).OK(t).Stdout
	for _, word := range []string{"GPT", "ext4", "Debian GNU/Linux 12", "ROOT_PARTITION=3", "Account root", "password none; SSH takes keys: yes; passwords: no: PermitRootLogin prohibit-password, which is the default"} {
		if !strings.Contains(text, word) {
			t.Errorf("inspect prints no %q:\n%s", word, text)
		}
	}
	if oracle.Digest(t, j.image, 0, -1) != before {
		t.Error("inspect changed the image")
	}
	harness.NothingLeft(t, j.image)
}

// TestInspectVolumes has volumes of LVM and of btrfs beside, and a GRUB that was installed when the
// disk had an MBR.
func TestInspectVolumes(t *testing.T) {
	harness.Gate(t, "lvm", "mkfs.xfs", "mkfs.btrfs")
	image := groupImage()
	image.MiB = 541
	image.Parts = append(image.Parts, images.Part{Number: 4, Start: 412, MiB: 128, Type: "L", FS: "btrfs", Label: "data", FSUUID: images.SwapUUID})
	j := newJob(t, image)
	writeTo(t, j.image, 0, []byte{0xeb, 0x63, 0x90})
	writeTo(t, j.image, 0x5c, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	var in report.Inspection
	if err := json.Unmarshal([]byte(site.Run(t, "inspect", "--json", j.image).OK(t).Stdout), &in); err != nil {
		t.Fatal(err)
	}
	if len(in.BootModes) != 0 || !slices.ContainsFunc(in.Warnings, func(w string) bool { return strings.Contains(w, "core in sector 1, where the partition table is") }) {
		t.Errorf("boots by %v, warnings %q, want none and one about GRUB", in.BootModes, in.Warnings)
	}
	if len(in.Volumes) != 2 || in.Root != "disk-a3:root" {
		t.Fatalf("root %s, volumes %+v, want root and var", in.Root, in.Volumes)
	}
	root, other := in.Volumes[0], in.Volumes[1]
	if root.Name != "root" || root.Group != group || root.Partition != 3 || root.Size != 320<<20 || root.Filesystem != "xfs" || root.Least != 320<<20 || !slices.Contains(root.Features, "ftype") {
		t.Errorf("root: %+v", root)
	}
	if other.Name != "var" || other.Label != "var" || other.Least < 1<<20 || other.Least > 16<<20 || !slices.Contains(other.Features, "extent") {
		t.Errorf("var: %+v", other)
	}
	if p := in.Partitions[3]; p.Least < 64<<20 || p.Least > 128<<20 || !slices.Contains(p.Features, "skinny metadata") {
		t.Errorf("btrfs: %+v", p)
	}
	if p := in.Partitions[0]; p.Least < 1<<20 || p.Least > 16<<20 || in.Partitions[2].Filesystem != "LVM2_member" {
		t.Errorf("partitions %+v", in.Partitions)
	}
}

// TestLargeSectors refuses a disk whose MBR counts sectors of 4096 bytes. A device of the node
// that has such is one of 512 for the helper, as it is for the instance.
func TestLargeSectors(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	writeTo(t, j.image, 446+8, []byte{0, 1, 0, 0, 0, 64, 0, 0}) // from sector 256, 16384 of them
	truncate(t, j.image, 66*images.MiB)
	site.Run(t, j.args("--size", "256M")...).Fails(t, 3, "made for sectors of 4096 bytes.*make the image on a disk with sectors of 512 bytes")
	j.undone()

	j = makeJob(t, images.Primary("ext4", images.Debian()))
	file := filepath.Join(j.dir, "large")
	truncateNew(t, file, 256*images.MiB)
	out, err := exec.Command("losetup", "--show", "--find", "--sector-size", "4096", file).Output()
	if err != nil {
		t.Fatalf("losetup: %v", err)
	}
	loop := strings.TrimSpace(string(out))
	defer func() { _ = exec.Command("losetup", "--detach", loop).Run() }()
	site.Run(t, "deploy", "--image", j.image, "--disk", loop, "--name", "web1").OK(t)
	oracle.Sound(t, file)
	if _, parts := oracle.ReadTable(t, file); parts[1].End()*512 < 254*images.MiB {
		t.Errorf("partitions %+v", parts)
	}
}

// TestInspectDebian tells how a real image boots and what its programs need.
func TestInspectDebian(t *testing.T) {
	harness.Gate(t, needed...)
	t.Parallel()
	image, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	var in report.Inspection
	if err := json.Unmarshal([]byte(site.Run(t, "inspect", "--json", image).OK(t).Stdout), &in); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(in.BootModes, []string{"bios", "uefi"}) || !slices.Equal(in.EFILoaders, []string{"BOOTX64.EFI"}) || in.Processor != "x86-64" {
		t.Errorf("boots by %v %v, processor %q, want bios, uefi, BOOTX64.EFI, x86-64", in.BootModes, in.EFILoaders, in.Processor)
	}
}

// TestInspectNamesTheSmallestDisk deploys to a disk of the size inspect names;
// one MiB less does not fit.
func TestInspectNamesTheSmallestDisk(t *testing.T) {
	image := images.Primary("ext4", images.Debian())
	image.MiB = 200 // most of it is not in any partition
	j := newJob(t, image)
	var in report.Inspection
	if err := json.Unmarshal([]byte(site.Run(t, "inspect", "--json", j.image).OK(t).Stdout), &in); err != nil {
		t.Fatal(err)
	}
	if in.SmallestDisk < 65*images.MiB || in.SmallestDisk > 200*images.MiB || in.LargestDisk != 1<<41-512 {
		t.Fatalf("smallest disk = %d bytes, largest %d", in.SmallestDisk, in.LargestDisk)
	}
	large := site.Run(t, j.args("--size", "3T", "--dry-run")...).OK(t)
	if !strings.Contains(large.Stderr, "reaches only the first 2 TiB of a disk: 1.0 TiB at the end of "+j.disk) {
		t.Errorf("nothing is said of the end of 3 TiB:\n%s", large)
	}
	truncateNew(t, j.disk, 200*images.MiB)
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--name", "web1").OK(t)
	j.done()
}

// TestDryRun prints the plan and touches nothing.
func TestDryRun(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	o := site.Run(t, j.args(append(everything(j), "--dry-run")...)...).OK(t)
	for _, word := range []string{"AssignHostname", "disk.raw", "image.raw"} {
		if !strings.Contains(o.Stdout, word) {
			t.Errorf("the plan has no %q:\n%s", word, o.Stdout)
		}
	}
	if _, err := os.Stat(j.disk); !os.IsNotExist(err) {
		t.Errorf("a dry run made the disk: %v", err)
	}
	stale(t, j.disk, 256)
	before := oracle.Digest(t, j.disk, 0, -1)
	if o := site.With(t, "ACCELERATOR=tcg").Run(t, j.args("--dry-run")...).OK(t); !strings.Contains(o.Stdout, "tcg first (ACCELERATOR=tcg)") {
		t.Errorf("the plan does not name the accelerator that is wanted:\n%s", o)
	}
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("a dry run changed the disk")
	}
	qemuImg(t, "create", "-q", "-f", "vdi", "-o", "static", j.disk, "256M")
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--name", "web1", "--dry-run").Fails(t, 4, "it is a VDI image")
	truncate(t, j.disk, 256*images.MiB)
	site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--name", "web1", "--dry-run", "--disk-format", "raw").OK(t)
}

// TestHelperImageIsReproducible builds it again: same bytes.
func TestHelperImageIsReproducible(t *testing.T) {
	harness.Gate(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "helper")
	in := site.With(t, `HELPER_DIR="`+dir+`"`)
	in.Run(t, "helper", "build").OK(t)
	if d := cmp.Diff(listing(t, site.HelperDir), listing(t, dir)); d != "" {
		t.Errorf("two builds (-first +second):\n%s", d)
	}
	var size int64
	for _, line := range listing(t, dir) {
		size += oracle.Size(t, filepath.Join(dir, strings.Fields(line)[0]))
	}
	const limit = 75 << 20
	if size > limit {
		t.Errorf("the helper image has %d bytes, want at most %d", size, limit)
	}
}

// listing is the name and digest of every file in dir.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		lines = append(lines, e.Name()+" "+oracle.Digest(t, filepath.Join(dir, e.Name()), 0, -1))
	}
	return lines
}

// TestDoctorAndVersion look at this node.
func TestDoctorAndVersion(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	release, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := site.Run(t, "version").OK(t).Stdout, "snf-image "+strings.TrimSpace(string(release)); !strings.HasPrefix(got, want) {
		t.Errorf("version = %q, want %q…", got, want)
	}
	o := site.Run(t, "doctor").OK(t)
	for _, word := range []string{"QEMU", "disks by URI", "memory", "helper image", "tcg", "directories", "confinement   helper: ", "confinement   image worker: ", "confinement   qemu-nbd: ", "pid namespace, mount namespace, network namespace, ipc namespace, uts namespace, root of its own, no-new-privs, landlock: ", ", rlimits, uid, no capabilities, seccomp filter"} {
		if !strings.Contains(o.Stdout, word) {
			t.Errorf("doctor says nothing of %q:\n%s", word, o.Stdout)
		}
	}
	if strings.Contains(o.Stdout, "did not run the helper") { // so KVM is left out from now on
		if !strings.Contains(o.Stdout, "; KVM is tried again by") {
			t.Errorf("doctor does not say what to do about KVM:\n%s", o.Stdout)
		}
		if again := site.Run(t, "inspect", j.image).OK(t); strings.Contains(again.Stderr, "starting the helper again") {
			t.Errorf("KVM is tried again:\n%s", again)
		}
		if third := site.Run(t, "doctor").OK(t); !strings.Contains(third.Stderr, "starting the helper again with tcg") {
			t.Errorf("doctor does not try KVM again:\n%s", third)
		}
	}
	site.With(t, `HELPER_DIR="/nonexistent"`).Run(t, "doctor").Fails(t, 6, "helper build")
}

// TestConfigAnywhere accepts --config before and after the command's name, and
// refuses one that is missing.
func TestConfigAnywhere(t *testing.T) {
	harness.Gate(t)
	t.Parallel()
	site.Run(t, "helper", "info", "--config", site.Config).OK(t)
	for _, command := range [][]string{{"helper", "info"}, {"version"}} {
		site.Run(t, append(command, "--config", "/nonexistent.conf")...).Fails(t, 2, "nonexistent.conf")
	}
}

// TestFewOpenFiles: a limit too low for a deployment is called that, before anything else
// fails of it.
func TestFewOpenFiles(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	for _, n := range []string{"20", "60"} {
		site.StartWrapped(t, []string{"prlimit", "--nofile=" + n}, j.args()...).Wait().Fails(t, 10, "limit of open files, .*: "+n+" are allowed")
	}
	if _, err := os.Stat(j.disk); !os.IsNotExist(err) {
		t.Errorf("the disk was made: %v", err)
	}
}

// TestOneDiskTwice names a disk by a link, too, and a loop device on it.
func TestOneDiskTwice(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	truncateNew(t, j.disk, 256*images.MiB)
	link := j.disk + ".link"
	if err := os.Symlink(j.disk, link); err != nil {
		t.Fatal(err)
	}
	before := oracle.Digest(t, j.disk, 0, -1)
	for _, second := range []string{link, filepath.Dir(j.disk) + "/../" + filepath.Base(filepath.Dir(j.disk)) + "/disk.raw"} {
		site.Run(t, "deploy", "--image", j.image, "--disk", j.disk, "--disk", second, "--name", "web1", "--property", "SWAP=b").
			Fails(t, 2, "it is the disk .*/disk.raw, or shares bytes with it")
	}
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("the disk changed")
	}
}

// TestProgressMessages reads the messages of --progress json.
func TestProgressMessages(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	o := site.Run(t, j.args("--progress", "json")...).OK(t)
	var kinds []string
	for line := range strings.Lines(o.Stdout + o.Stderr) {
		var m struct {
			Type      string
			Timestamp float64
			Progress  float64
		}
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Type == "" || m.Timestamp < 1e9 {
			t.Errorf("message %q: %v", line, err)
		}
		kinds = append(kinds, m.Type)
	}
	for _, want := range []string{"image-info", "image-copy-progress", "image-helper"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s among the messages %q", want, kinds)
		}
	}
}
