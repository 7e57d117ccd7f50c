package vm

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"snf-image/internal/report"
	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// job is an image, a disk and what goes with them, in a directory of the test.
type job struct {
	t     testing.TB
	dir   string
	image string
	disk  string
}

// newJob makes the image for a test that may run beside others.
func newJob(t *testing.T, image images.Image) *job {
	t.Helper()
	harness.Gate(t, needed...)
	t.Parallel()
	return makeJob(t, image)
}

// needed are the programs without which no job can be made or looked at.
var needed = []string{"qemu-system-x86_64", "sfdisk", "sgdisk", "mke2fs", "e2fsck", "dumpe2fs", "losetup", "mkfs.vfat"}

// makeJob is newJob for a test that has asked for its tools, and runs as it likes.
func makeJob(t *testing.T, image images.Image) *job {
	t.Helper()
	j := &job{t: t, dir: harness.Dir(t)}
	j.disk = filepath.Join(j.dir, "disk.raw")
	j.image = image.Write(t, filepath.Join(j.dir, "image.raw"))
	return j
}

// args are the arguments of a deployment of a named machine, and more.
func (j *job) args(more ...string) []string {
	return append([]string{
		"deploy", "--image", j.image, "--disk", j.disk, "--size", "256M",
		"--name", "web1.example.org", "--property", "USERS=root",
	}, more...)
}

// customized are the arguments to customize the disk as it is.
func (j *job) customized(more ...string) []string {
	return append([]string{"customize", "--disk", j.disk, "--property", "USERS=root"}, more...)
}

// file writes a file for the command line and returns its path.
func (j *job) file(name, text string) string { return harness.File(j.t, j.dir, name, text) }

// custom returns the arguments for a CUSTOM_TASK.
func custom(script string) []string {
	program := "#!/bin/bash\n" + script + "\n"
	return []string{"--property", "CUSTOM_TASK=" + base64.StdEncoding.EncodeToString([]byte(program))}
}

// readReport reads the file --report wrote.
func readReport(t testing.TB, path string) report.Deployment {
	t.Helper()
	var r report.Deployment
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatalf("reading the report: %v", err)
	}
	return r
}

// done looks at a disk whose deployment succeeded, and for what was left
// behind.
func (j *job) done() {
	j.t.Helper()
	oracle.Sound(j.t, j.disk)
	harness.NothingLeft(j.t, j.disk, j.image)
}

// undone looks at a disk whose deployment failed after it had begun.
func (j *job) undone() {
	j.t.Helper()
	oracle.EndsZero(j.t, j.disk)
	harness.NothingLeft(j.t, j.disk, j.image)
}
