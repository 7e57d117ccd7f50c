package vm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// TestAdmission waits for memory that another run was promised. It runs beside no
// other test: they would wait as well.
func TestAdmission(t *testing.T) {
	harness.Gate(t, "qemu-system-x86_64", "sfdisk", "mke2fs")
	j := &job{t: t, dir: harness.Dir(t)}
	j.disk = j.dir + "/disk.raw"
	j.image = images.Primary("ext4", images.Debian()).Write(t, j.dir+"/image.raw")

	site.With(t, "HELPER_MEMORY=1000000").Run(t, j.args()...).
		Fails(t, 10, `waiting for other deployments, on this node: a deployment takes 1000256 MiB, and there are [0-9]+ in all; lower HELPER_MEMORY`)
	if _, err := os.Stat(j.disk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the disk was created: %v", err)
	}

	other := promise(t, 1<<20)
	p := site.Start(t, j.args("--progress", "plain")...)
	p.Until(time.Minute, "the deployment to wait", func() bool {
		return strings.Contains(p.Stderr(), "waiting for other deployments: a helper takes 768 MiB, and 0 MiB of memory are free; helpers that run now: ")
	})
	if !oracle.Zero(t, j.disk, 0, 256*images.MiB) {
		t.Error("the disk was written to before there was memory for the helper")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	p.Wait().OK(t)
	j.done()
	if _, err := os.Stat(other.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the place of a run that ended without giving it up is still there: %v", err)
	}

	// Told to stop, a run that waits stops.
	other = promise(t, 1<<20)
	defer other.Close() //nolint:errcheck // ends with the test
	p = site.Start(t, j.customized("--name", "web1")...)
	p.Until(time.Minute, "the customization to wait", func() bool { return strings.Contains(p.Stderr(), "waiting for other deployments") })
	p.Signal(unix.SIGTERM)
	p.Wait().Fails(t, 128+int(unix.SIGTERM), `stopped by signal`)
}

// promise takes a place for a run that does not use its memory, as long as the
// file is open.
func promise(t *testing.T, mib int) *os.File {
	t.Helper()
	const dir = "/run/snf-image"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "helper-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()); _ = f.Close() })
	_, err = fmt.Fprintf(f, "%d %d\n", os.Getpid(), mib)
	if err = errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_EX)); err != nil {
		t.Fatal(err)
	}
	return f
}
