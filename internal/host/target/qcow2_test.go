package target

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func openQcow2(t *testing.T, path string, o Options) *Disk {
	t.Helper()
	d, err := OpenQcow2(t.Context(), path, o)
	if err != nil {
		t.Fatalf("OpenQcow2(%s) = %v", path, err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func qemuImg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// holds returns the bytes of the disk in a qcow2 file, which must be sound.
func holds(t *testing.T, path string) []byte {
	t.Helper()
	qemuImg(t, "check", "-q", "-f", "qcow2", path)
	raw := filepath.Join(t.TempDir(), "raw")
	qemuImg(t, "convert", "-f", "qcow2", "-O", "raw", path, raw)
	return read(t, raw)
}

// TestQcow2 goes through all a deployment does, on a new file, on one that holds a pattern,
// and on one that is made longer.
func TestQcow2(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, path string){
		"new": func(*testing.T, string) {},
		"held a pattern": func(t *testing.T, path string) {
			qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", staleDisk(t, testSize), path)
		},
		"was shorter": func(t *testing.T, path string) {
			qemuImg(t, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4K", path, "4M")
		},
		"has a snapshot": func(t *testing.T, path string) {
			qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", staleDisk(t, testSize), path)
			qemuImg(t, "snapshot", "-c", "before", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk.qcow2")
			prepare(t, path)
			d := openQcow2(t, path, Options{Size: testSize, ImageSize: testSize})
			if d.Size != testSize || d.Created != (name == "new") || d.Extended != (name == "was shorter") {
				t.Errorf("%+v", d)
			}
			w := remoteWriter(t, d)
			want := make([]byte, testSize)
			data, err := Buffer(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			copy(data, bytes.Repeat([]byte{7}, len(data)))
			copy(want[5<<20:], data)
			_, writeErr := w.WriteAt(data, 5<<20)
			if err := errors.Join(writeErr, w.BlankEnds(), w.Zero(t.Context(), 1<<20, 4<<20), w.Zero(t.Context(), 6<<20, 1<<20), w.Flush()); err != nil {
				t.Fatal(err)
			}
			head, tail := newEnd(t, bytes.Repeat([]byte{1}, spec.EndSize)), newEnd(t, bytes.Repeat([]byte{2}, spec.EndSize))
			if err := Commit(t.Context(), d, head, tail); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			copy(want, bytes.Repeat([]byte{1}, spec.EndSize))
			copy(want[testSize-spec.EndSize:], bytes.Repeat([]byte{2}, spec.EndSize))
			if !bytes.Equal(holds(t, path), want) {
				t.Error("the disk does not hold what was written")
			}
		})
	}
}

// TestQcow2New makes files of many sizes: each is what qemu-img takes for sound and empty.
func TestQcow2New(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{MinSize, 512<<20 - 512, 512 << 20, 512<<20 + 512, 3 << 40, 60 << 40} {
		path := filepath.Join(t.TempDir(), "disk.qcow2")
		d := openQcow2(t, path, Options{Size: size})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if out := qemuImg(t, "check", "-f", "qcow2", path); !strings.Contains(out, "No errors were found") {
			t.Errorf("%d bytes: %s", size, out)
		}
		if d := openQcow2(t, path, Options{ReadOnly: true}); d.Size != size {
			t.Errorf("%d bytes, want %d", d.Size, size)
		}
	}
}

// TestQcow2Undo takes back what was done to files nothing was written to.
func TestQcow2Undo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	d := openQcow2(t, path, Options{Size: testSize, DryRun: true})
	if _, err := os.Stat(path); err == nil || !d.Created {
		t.Error("a dry run made the file")
	}
	d = openQcow2(t, path, Options{Size: testSize})
	if err := errors.Join(d.Undo(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the new file is still there")
	}
	qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", staleDisk(t, testSize), path)
	if d := openQcow2(t, path, Options{Size: 2 * testSize, DryRun: true}); d.Size != 2*testSize || !d.Extended {
		t.Errorf("%+v", d)
	} else if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openQcow2(t, path, Options{Size: 2 * testSize})
	if err := errors.Join(d.Undo(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if got := holds(t, path); !bytes.Equal(got, bytes.Repeat([]byte{0x55}, testSize)) {
		t.Errorf("%d bytes that are not those of before", len(got))
	}
}

func TestQcow2Refuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	secret := staleDisk(t, testSize)
	qemuImg(t, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, path("backed"))
	qemuImg(t, "create", "-q", "-f", "qcow2", "-o", "data_file="+path("data"), path("outside"), "8M")
	qemuImg(t, "create", "-q", "-f", "vmdk", path("vmdk"), "8M")
	qemuImg(t, "create", "-q", "-f", "qcow2", path("small"), "5M")
	qemuImg(t, "create", "-q", "-f", "qcow2", path("used"), "8M")
	other := openQcow2(t, path("small"), Options{})
	startQEMU(t, "-f", "qcow2", path("used"))
	for name, tc := range map[string]struct {
		o    Options
		kind report.Kind
		want string
	}{
		path("backed"):      {Options{}, report.Disk, "it has a backing file"},
		path("outside"):     {Options{}, report.Disk, "it has an external data file"},
		path("vmdk"):        {Options{}, report.Disk, "it is not a qcow2 image; make another file of it"},
		newDisk(t, 8<<20):   {Options{}, report.Disk, "leave --disk-format out if it is a raw disk file"},
		path("used"):        {Options{}, report.Busy, "a running QEMU"},
		path("missing"):     {Options{}, report.Disk, "give a size"},
		path("new"):         {Options{Size: 1 << 20}, report.Usage, "too few"},
		dir + "/./small":    {Options{Others: []*Disk{other}}, report.Usage, "it is the disk"},
		dir + "/../nothing": {Options{Existing: true, Size: 8 << 20}, report.Disk, "check its name"},
	} {
		_, err := OpenQcow2(t.Context(), name, tc.o)
		if err == nil || report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("OpenQcow2(%s) = %v, want %v with %q", name, err, tc.kind, tc.want)
		}
	}
	if _, err := OpenQcow2(t.Context(), path("small"), Options{Size: 4 << 20}); err == nil {
		t.Error("an open disk was opened again")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{"a disk is never made smaller": {Size: 4 << 20}, "the image needs": {ImageSize: 6 << 20}} {
		if _, err := OpenQcow2(t.Context(), path("small"), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Open(path("small"), Options{}); err == nil || !strings.Contains(err.Error(), "--disk-format qcow2") {
		t.Errorf("without the format: %v", err)
	}
}

// TestQcow2Stopped ends a run at many points while a disk is made longer: it says why, and the
// disk has its old length.
func TestQcow2Stopped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	qemuImg(t, "create", "-q", "-f", "qcow2", path, "8M")
	stopped := errors.New("stopped")
	for after := range 20 {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(time.Duration(after)*8*time.Millisecond, func() { cancel(stopped) })
		d, err := OpenQcow2(ctx, path, Options{Size: 16 << 20})
		if err == nil { // it was quicker
			err = errors.Join(d.Undo(), d.Close())
		} else if errors.Is(err, stopped) {
			err = nil
		}
		timer.Stop()
		cancel(nil)
		if err != nil {
			t.Fatalf("told to end after %d ms: %v", after*8, err)
		}
		if d := openQcow2(t, path, Options{ReadOnly: true}); d.Size != 8<<20 {
			t.Fatalf("told to end after %d ms, it has %d bytes", after*8, d.Size)
		} else if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
