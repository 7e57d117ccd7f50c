package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/nbd"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/storage"
)

// TestMain lets the test binary be what becomes qemu-nbd.
func TestMain(m *testing.M) {
	if os.Args[0] == confine.Name {
		fmt.Fprintln(os.Stderr, confine.Launch(os.Args))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openURI(t *testing.T, uri string, o Options) *Disk {
	t.Helper()
	d, err := OpenURI(t.Context(), uri, o)
	if err != nil {
		t.Fatalf("OpenURI(%s) = %v", uri, err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestRemoteWriter goes through all a Writer does, on servers that can do less and
// less.
func TestRemoteWriter(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(t *testing.T, path string) string{
		"qemu-nbd": func(t *testing.T, path string) string { return storage.File(t, path).URI() },
		"no fast zeroes": func(t *testing.T, path string) string {
			return storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "--filter=nozero", "file", path, "fastzeromode=none").URI()
		},
		"no zeroes": func(t *testing.T, path string) string {
			return storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "--filter=nozero", "file", path, "zeromode=none").URI()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := staleDisk(t, testSize)
			d := openURI(t, serve(t, path), Options{ImageSize: testSize})
			w := remoteWriter(t, d)
			want := bytes.Repeat([]byte{0x55}, testSize)
			data, err := Buffer(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			copy(data, bytes.Repeat([]byte{7}, len(data)))
			copy(want[5<<20:], data)
			clear(want[2<<20+512 : 3<<20])
			clear(want[:spec.EndSize])
			clear(want[testSize-spec.EndSize:])
			_, writeErr := w.WriteAt(data, 5<<20)
			if err := errors.Join(writeErr, w.BlankEnds(), w.Zero(t.Context(), 2<<20+512, 1<<20-512), w.Flush()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read(t, path), want) {
				t.Error("the disk does not hold what was written")
			}
			head, tail := newEnd(t, bytes.Repeat([]byte{1}, spec.EndSize)), newEnd(t, bytes.Repeat([]byte{2}, spec.EndSize))
			if err := Commit(t.Context(), d, head, tail); err != nil {
				t.Fatal(err)
			}
			if b := read(t, path); !is(b[:spec.EndSize], 1) || !is(b[testSize-spec.EndSize:], 2) {
				t.Error("the ends are not on the disk")
			}
		})
	}
}

// remoteWriter is a Writer on d, as a child has one.
func remoteWriter(t *testing.T, d *Disk) *Writer {
	t.Helper()
	f, export, err := d.Handle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	c := nbd.NewClient(conn, *export)
	t.Cleanup(func() { _ = c.Close() })
	w, err := NewRemoteWriter(c, newEnd(t, nil), newEnd(t, nil), d.Size)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestOpenURIRefuses(t *testing.T) {
	t.Parallel()
	path := newDisk(t, testSize)
	uri := storage.File(t, path).URI()
	for name, tc := range map[string]struct {
		uri  string
		o    Options
		kind report.Kind
		want string
	}{
		"too small": {uri, Options{ImageSize: testSize + 512}, report.Disk, "the image needs 8389120"},
		"size":      {uri, Options{Size: 2 * testSize}, report.Usage, "a device has the size it has"},
		"read-only": {storage.File(t, path, "--read-only").URI(), Options{}, report.Disk, ""},
		"gone":      {"nbd+unix:///?socket=/nonexistent/s", Options{}, report.Disk, "No such file or directory"},
	} {
		d, err := OpenURI(t.Context(), tc.uri, tc.o)
		if err == nil {
			_ = d.Close()
		}
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: OpenURI = %v (%s), want %q", name, err, report.KindOf(err), tc.want)
		}
	}
}

// TestOpenURIBusy: one run may write, or several read.
// TestOpenURIStopsAtOnce: a disk that does not answer keeps nobody from ending a run.
func TestOpenURIStopsAtOnce(t *testing.T) {
	t.Parallel()
	uri := storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "--filter=delay", "memory", "8M", "delay-write=60").URI()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if d, err := OpenURI(ctx, uri, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("OpenURI = %v, %v, want that it was told to end", d, err)
	}
	if time.Since(start) > 10*time.Second {
		t.Errorf("OpenURI took %v", time.Since(start))
	}
}

// TestOpenURIOddSize finds out before anything is written that a disk ends within a
// sector, which QEMU does not tell.
func TestOpenURIOddSize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk")
	content := bytes.Repeat([]byte("as it was "), (8<<20)/10)
	if err := os.WriteFile(path, content, 0o600); err != nil { // no multiple of 512
		t.Fatal(err)
	}
	uri := storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "file", path).URI()
	d, err := OpenURI(t.Context(), uri, Options{})
	if err == nil {
		d.Close()
	}
	if report.KindOf(err) != report.Disk || !strings.Contains(err.Error(), "its last sector cannot be written") || !strings.Contains(err.Error(), "a multiple of 512 bytes") {
		t.Errorf("OpenURI of %d bytes = %v", len(content), err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the disk was changed (%v)", err)
	}
	even := storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "memory", "8M").URI()
	if err := openURI(t, even, Options{}).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenURIBusy(t *testing.T) {
	t.Parallel()
	locks := filepath.Join(t.TempDir(), "run")
	uri, other := storage.File(t, newDisk(t, testSize)).URI(), storage.File(t, newDisk(t, testSize)).URI()
	busy := func(uri string, readOnly bool) bool {
		t.Helper()
		d, err := OpenURI(t.Context(), uri, Options{ReadOnly: readOnly, LockDir: locks})
		if err == nil {
			_ = d.Close()
		} else if report.KindOf(err) != report.Busy {
			t.Fatal(err)
		}
		return err != nil
	}
	writer := openURI(t, uri, Options{LockDir: locks})
	if !busy(uri, false) || !busy(uri, true) || busy(other, false) {
		t.Error("a disk that is written is not that writer's alone")
	}
	_ = writer.Close()
	reader := openURI(t, uri, Options{ReadOnly: true, LockDir: locks})
	if busy(uri, true) || !busy(uri, false) {
		t.Error("a disk that is read is not the readers'")
	}
	_ = reader.Close()
	if busy(uri, false) {
		t.Error("a disk that nobody uses is busy")
	}
}

// TestOpenURIStops: what waits for the disk ends with the context.
func TestOpenURIStops(t *testing.T) {
	t.Parallel()
	// The last sector, which opening the disk writes, is all that does not hang.
	uri := storage.Start(t, "nbdkit", "--foreground", "--unix=SOCKET", "eval", "get_size=echo 8M", "can_write=exit 0",
		"pread=head -c $3 /dev/zero", "pwrite=cat >/dev/null; [ $4 = 8388096 ] || sleep 60").URI()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := OpenURI(ctx, uri, Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Commit(ctx, d, newEnd(t, []byte{1}), newEnd(t, []byte{1})) }()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Commit = %v, want that it was told to end", err)
		}
	case <-time.After(4 * commitGrace):
		t.Error("Commit waits on")
	}
	start := time.Now()
	if _ = d.Close(); time.Since(start) > commitGrace/2 {
		t.Errorf("Close took %v", time.Since(start))
	}
}

// TestExplain: a child saw the connection end, the server knows why.
func TestExplain(t *testing.T) {
	t.Parallel()
	uri := storage.File(t, newDisk(t, testSize)).URI()
	d := openURI(t, uri, Options{})
	said := &report.Failure{Kind: report.Disk, What: "writing the image", On: d.Path, Cause: nbd.ErrGone}
	killServer(t, uri)
	err := d.Explain(said)
	if f, ok := errors.AsType[*report.Failure](err); !ok || f.What != said.What || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Explain = %v, want that the server was killed", err)
	}
	other := &report.Failure{Kind: report.Disk, What: "writing the image", On: d.Path, Cause: errors.New("no space left on device")}
	if err := d.Explain(other); err != error(other) {
		t.Errorf("Explain = %v, want what was said", err)
	}
}

// killServer kills the process that has the URI in its command line.
func killServer(t *testing.T, uri string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, _ := os.ReadFile(file); bytes.Contains(text, []byte(uri)) {
			pid, err := strconv.Atoi(strings.Split(file, "/")[2])
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no process serves %s", uri)
}
