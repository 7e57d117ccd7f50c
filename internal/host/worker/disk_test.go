package worker

import (
	"bytes"
	"io"
	"os"
	"testing"

	"snf-image/internal/host/target"
	"snf-image/internal/spec"
	"snf-image/tests/storage"
)

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
	r.disk, r.Server, r.DiskSize = d, export, d.Size
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
		r.To = r.attach(t, storage.File(t, path).URI(), false)
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
	r := rig{Job: Job{Action: Export, To: to}}
	r.From = r.attach(t, storage.File(t, writeSparse(t, disk)).URI(), true)
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
	r.To = r.attach(t, storage.File(t, path).URI(), false)
	r.DiskSize += spec.EndSize
	if _, err := r.write(t.Context()); err == nil {
		t.Error("a disk of another size was written")
	}
	if blank(t, path) {
		t.Error("the disk was touched")
	}
}
