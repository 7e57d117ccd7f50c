package vm

import (
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

// rootMadeBy is an MBR with a root file system of that many MiB that mke2fs makes with
// these arguments.
func rootMadeBy(fs string, mib int64, mkfs ...string) images.Image {
	i := images.Primary(fs, images.Debian())
	i.Parts[0].MiB, i.Parts[0].Mkfs, i.MiB = mib, mkfs, mib+2
	return i
}

// TestGrowsFar has file systems grow to many times their size, with the features that
// make that hard, those of newer mke2fs among them.
func TestGrowsFar(t *testing.T) {
	cases := map[string]struct {
		image images.Image
		size  string
	}{
		// More group descriptors than it keeps room for, by far.
		"few reserved blocks": {rootMadeBy("ext4", 32, "-b", "4096"), "40G"},
		// resize2fs 1.47.0 damages it, and says that it succeeded.
		"as of mke2fs 1.47":    {rootMadeBy("ext4", 32, "-b", "4096", "-O", "orphan_file,metadata_csum_seed"), "48G"},
		"without resize_inode": {rootMadeBy("ext4", 32, "-O", "^resize_inode,^64bit,^metadata_csum", "-b", "1024"), "9G"},
		"ext2 of revision 0":   {rootMadeBy("ext2", 32, "-r", "0", "-b", "1024"), "2049M"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.image)
			if name == "few reserved blocks" { // an installed machine, which is not written anew
				j.disk = c.image.Write(t, j.disk)
				site.Run(t, j.customized("--size", c.size)...).OK(t)
			} else {
				site.Run(t, append(j.args(), "--size", c.size)...).OK(t)
			}
			j.done()
			_, parts := oracle.ReadTable(t, j.disk)
			size := parts[1].Size * 512
			if fs := oracle.FSBytes(t, j.disk, 1); fs > size || fs < size-32*images.MiB {
				t.Errorf("the file system has %d bytes, want the partition's %d", fs, size)
			}
		})
	}
}

// TestCannotGrow has an installed machine whose file system cannot become as large as its
// disk: that is refused before a byte is written, and what the last line says works.
func TestCannotGrow(t *testing.T) {
	image := rootMadeBy("ext4", 32, "-O", "sparse_super2")
	j := newJob(t, image)
	j.disk = image.Write(t, j.disk)
	before := oracle.Digest(t, j.disk, 0, -1)
	site.Run(t, j.customized("--size", "256M", "--name", "web2")...).Fails(t, 8,
		"growing the file system of partition 1 to 267386880 bytes: it can have 33554432 bytes at most: .*EXCLUDE_TASK_FILESYSTEMRESIZEUNMOUNTED=yes")
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("the disk, or its size, changed")
	}
	site.Run(t, j.customized("--size", "256M", "--name", "web2", "--property", "EXCLUDE_TASK_FILESYSTEMRESIZEUNMOUNTED=yes")...).OK(t)
	j.done()
}

// TestDamageIsNotGrown has an installed machine with damage that says it is clean: its
// partition stays as it is.
func TestDamageIsNotGrown(t *testing.T) {
	image := images.Primary("ext4", images.Debian())
	j := newJob(t, image)
	j.disk = image.Write(t, j.disk)
	debugfs(t, j.disk, "clri var/lib/dbus")
	_, before := oracle.ReadTable(t, j.disk)
	site.Run(t, j.customized("--size", "256M", "--name", "web2")...).Fails(t, 8, "errors that are not repaired automatically; repair it with e2fsck")
	if _, after := oracle.ReadTable(t, j.disk); !cmp.Equal(before, after) {
		t.Errorf("partitions (-before +after):\n%s", cmp.Diff(before, after))
	}
	if got, want := oracle.Size(t, j.disk), image.MiB*images.MiB; got != want {
		t.Errorf("the disk file has %d bytes, want its %d", got, want)
	}
}

// TestEndsBetweenSteps ends the helper of an installed machine while a program of the task
// RunCustomTask runs, by an oops and by the time limit. The file system is sound, also
// when nothing was unmounted; log and report say what had been changed.
func TestEndsBetweenSteps(t *testing.T) {
	image := images.Primary("ext4", images.Debian())
	j := newJob(t, image)
	j.disk = image.Write(t, j.disk)
	reportFile := filepath.Join(j.dir, "report.json")
	args := j.customized("--size", "256M", "--name", "web2", "--report", reportFile)

	o := site.Run(t, append(args, custom("echo c > /proc/sysrq-trigger")...)...).Fails(t, 7, "helper")
	checkListed(t, o, readReport(t, reportFile), []string{
		"partition 1 grew from 67108864 to 267386880 bytes", "the file system of partition 1 grew from 67108864 to 267386880 bytes",
	})

	tasks := readReport(t, reportFile).Tasks
	if n := len(tasks); n == 0 || tasks[0].Name != "FixPartitionTable" || tasks[0].Outcome != report.Done ||
		tasks[n-1].Name != "RunCustomTask" || tasks[n-1].Outcome != report.Failed {
		t.Errorf("the report's tasks are %+v, want those that ended, and the one in which the helper did", tasks)
	}

	in := site.With(t, `HELPER_SOFT_TIMEOUT="15s"`)
	o = in.Run(t, append(j.customized("--size", "512M", "--name", "web3", "--report", reportFile), custom("sleep 1000")...)...).
		Fails(t, 9, `running task RunCustomTask, .*the time limit has passed \(HELPER_SOFT_TIMEOUT is 15s\); raise HELPER_SOFT_TIMEOUT`)
	checkListed(t, o, readReport(t, reportFile), []string{
		"partition 1 grew from 267386880 to 535822336 bytes", "the file system of partition 1 grew from 267386880 to 535822336 bytes",
	})
	oracle.Sound(t, j.disk) // before a helper has had a look at it again
	if got := oracle.ReadFile(t, j.disk, 1, "etc/hostname"); got != "web3\n" {
		t.Errorf("the host name is %q, want what was set before the end", got)
	}
	site.Run(t, j.customized("--name", "web4")...).OK(t)
	j.done()
}

// checkListed looks for what had been changed in log and report.
func checkListed(t *testing.T, o harness.Outcome, r report.Deployment, disk []string) {
	t.Helper()
	changes := slices.DeleteFunc(r.Disk.Changes, func(text string) bool { return strings.HasSuffix(text, " was repaired") }) // of what the oops left
	if d := cmp.Diff(disk, changes); d != "" {
		t.Errorf("the report's changes of the disk (-want +got):\n%s", d)
	}
	if !slices.Contains(r.Changed, "/etc/hostname") {
		t.Errorf("the report names the changed files %q", r.Changed)
	}
	for _, want := range append(disk, "files had been changed before the failure: ", "/etc/hostname") {
		if !strings.Contains(o.Stderr, want) {
			t.Errorf("the log does not say %q\n%s", want, o)
		}
	}
}
