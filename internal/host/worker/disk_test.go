package worker

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// byURI serves the disk file at path until the end of the test.
func byURI(t *testing.T, path string) string {
	t.Helper()
	program, err := exec.LookPath("qemu-nbd")
	if err != nil {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "uri") // a short name: sockets have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(program, "--format=raw", "--socket="+socket, "--persistent", "--shared=0", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = os.RemoveAll(dir) })
	for start := time.Now(); ; {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
			return "nbd+unix:///?socket=" + socket
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal(err)
		}
	}
}

// attach puts the disk at uri in the place of the one of r, and says by what a
// worker reaches it.
func (r *rig) attach(t *testing.T, uri string, readOnly bool) *os.File {
	t.Helper()
	d, err := target.OpenURI(t.Context(), uri, target.Options{ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	f, export, err := d.Handle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.disk, r.Export, r.DiskSize = d, export, d.Size
	return f
}

// TestByURI takes a disk that only a URI names through all the actions.
func TestByURI(t *testing.T) {
	t.Parallel()
	disk := dumped()
	const size = 32 << 20
	for _, action := range []Action{Deploy, Import} {
		path := stale(t, size)
		r := open(t, writeSparse(t, disk), stale(t, size))
		if action == Import {
			r = importer(t, feed(t, disk), stale(t, size))
		}
		r.Disk = r.attach(t, byURI(t, path), false)
		res, err := r.write(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if res.DataBytes > 12<<20 || res.Zeroing != target.PunchHole || res.Wiped != target.WipedPunched {
			t.Errorf("result %+v: want zeros and the rest made zero without writing", res)
		}
		if !blank(t, path) {
			t.Error("the worker wrote an end of the disk")
		}
		if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
			t.Fatal(err)
		}
		compare(t, readDisk(t, path), behind(disk, size))
	}
}

func TestExportByURI(t *testing.T) {
	t.Parallel()
	disk := dumped()
	from, to := pipe(t)
	r := rig{Job: Job{Action: Export, Disk: to}}
	r.Image = r.attach(t, byURI(t, writeSparse(t, disk)), true)
	var got bytes.Buffer
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&got, from)
		read <- err
	}()
	res, err := r.write(t.Context())
	_ = to.Close()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got.Bytes(), disk)
	if res.DataBytes > 12<<20 {
		t.Errorf("%d bytes were read, want the holes skipped", res.DataBytes)
	}
}

// TestByURISizes: a server that says another size than the host knows is refused.
func TestByURISizes(t *testing.T) {
	t.Parallel()
	path := stale(t, 8<<20)
	r := open(t, writeSparse(t, noise(1, 5<<20)), stale(t, 8<<20))
	r.Disk = r.attach(t, byURI(t, path), false)
	r.DiskSize += spec.EndSize
	if _, err := r.write(t.Context()); err == nil {
		t.Error("a disk of another size was written")
	}
	if blank(t, path) {
		t.Error("the disk was touched")
	}
}
