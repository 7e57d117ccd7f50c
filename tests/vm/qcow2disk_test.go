package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// onQcow2 makes the disk of j one in a qcow2 file. look converts it, checks it by the way,
// and makes the copy the disk that j's other methods look at.
func onQcow2(t *testing.T, j *job) (path string, look func()) {
	raw := j.disk
	path = filepath.Join(j.dir, "disk.qcow2")
	j.disk = path
	return path, func() {
		t.Helper()
		qemuImg(t, "check", "-q", "-f", "qcow2", path)
		qemuImg(t, "convert", "-f", "qcow2", "-O", "raw", path, raw)
		j.disk = raw
	}
}

// TestQcow2Disk deploys to a new qcow2 file, customizes the disk in it, and has a deployment
// to a larger one over it fail.
func TestQcow2Disk(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	path, look := onQcow2(t, j)
	raw := filepath.Join(j.dir, "disk.raw")
	dry := site.Run(t, j.args("--disk-format", "qcow2", "--dry-run")...).OK(t)
	if _, err := os.Stat(path); err == nil || !strings.Contains(dry.Stdout, path+", 268435456 bytes, created") {
		t.Errorf("the dry run made the file, or says %s", dry.Stdout)
	}
	cut := filepath.Join(j.dir, "cut.gz")
	reference(t, "sh", "-c", `gzip -1 -c "$0" | head -c -100 >"$1"`, j.image, cut)
	site.Run(t, "deploy", "--image", cut, "--disk", path, "--disk-format", "qcow2", "--size", "256M", "--name", "web1", "--property", "OSFAMILY=plan9").Fails(t, 2, "OSFAMILY")
	if _, err := os.Stat(path); err == nil {
		t.Error("a deployment that wrote nothing left the file")
	}

	reportFile := filepath.Join(j.dir, "report.json")
	site.Run(t, j.args("--disk-format", "qcow2", "--report", reportFile)...).OK(t)
	if r := readReport(t, reportFile); r.Disk.Path != path || r.Disk.Size != 256*images.MiB {
		t.Errorf("report: disk %+v", r.Disk)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 || st.Size() > 200*images.MiB {
		t.Errorf("the file: %v, %v", st, err)
	}
	look()
	j.done()
	if got := oracle.ReadFile(t, raw, 1, "/etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("/etc/hostname = %q", got)
	}

	j.disk = path
	site.Run(t, j.customized("--name", "web2.example.org")...).Fails(t, 4, "it is a qcow2 image, not a raw disk file; write to the disk in it with --disk-format qcow2")
	site.Run(t, j.customized("--disk-format", "qcow2", "--name", "web2.example.org")...).OK(t)
	look()
	j.done()
	if got := oracle.ReadFile(t, raw, 1, "/etc/hostname"); got != "web2.example.org\n" {
		t.Errorf("/etc/hostname = %q", got)
	}

	j.disk = path
	site.Run(t, "deploy", "--image", cut, "--disk", path, "--disk-format", "qcow2", "--size", "300M", "--name", "web1").Fails(t, 3, "unpacking gzip")
	look()
	j.undone()
	if got := oracle.Size(t, raw); got != 300*images.MiB {
		t.Errorf("the disk has %d bytes", got)
	}
}
