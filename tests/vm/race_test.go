package vm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestReportReplaced puts a link to a device in the place of the report while the
// program runs, as who owns its directory may.
func TestReportReplaced(t *testing.T) {
	j := newJob(t, images.Primary("ext4", images.Debian()))
	theirs := filepath.Join(j.dir, "theirs")
	report, fifo := filepath.Join(theirs, "report"), filepath.Join(j.dir, "password")
	if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, 1000, 1000), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	device := loop(t, j.file("precious", string(bytes.Repeat([]byte("precious"), 1<<17))))
	before := oracle.Digest(t, device, 0, 1<<20)
	// It waits for its password, and fails then: there is a report of that, too.
	p := site.Start(t, j.args("--report", report, "--password-file", fifo, "--property", "SWAP=wrong")...)
	password, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(device, report), password.Close()); err != nil {
		t.Fatal(err)
	}
	p.Wait().Fails(t, 2, "SWAP")
	if oracle.Digest(t, device, 0, 1<<20) != before {
		t.Error("the report was written over a device")
	}
	if st, err := os.Lstat(report); err != nil || !st.Mode().IsRegular() {
		t.Errorf("in place of the report is %v, %v", st, err)
	}
	if r := readReport(t, report); r.Success || r.Failure == nil || r.Failure.Exit != 2 {
		t.Errorf("the report says %+v", r)
	}
}
