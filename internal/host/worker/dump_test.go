package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// pipe returns both ends of a pipe, which the test closes at its end.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// feed is a pipe that delivers b in odd portions and ends.
func feed(t *testing.T, b []byte) *os.File {
	t.Helper()
	r, w := pipe(t)
	go func() {
		for part := range slices.Chunk(b, 77_777) {
			if _, err := w.Write(part); err != nil {
				break
			}
		}
		_ = w.Close()
	}()
	return r
}

// importer is an import from a stream to the disk at path.
func importer(t *testing.T, stream *os.File, path string) rig {
	t.Helper()
	r := open(t, os.DevNull, path)
	r.Action, r.From = Import, stream
	return r
}

// exporter is an export of the disk at path to a stream.
func exporter(t *testing.T, path string, stream *os.File) rig {
	t.Helper()
	d, err := target.Open(path, target.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return rig{disk: d, Job: Job{Action: Export, DiskSize: d.Size, From: d.File, To: stream}}
}

// dumped is a disk of odd length with long runs of zeros.
func dumped() []byte {
	b := make([]byte, 21<<20+512)
	copy(b, noise(1, 3<<20+700))
	copy(b[9<<20+512:], noise(2, 70_000))
	copy(b[len(b)-9000:], noise(3, 9000))
	return b
}

// behind fills want up to size with what a disk has behind the dump.
func behind(dump []byte, size int) []byte {
	return append(bytes.Clone(dump), make([]byte, size-len(dump))...)
}

func TestImport(t *testing.T) {
	t.Parallel()
	dump := dumped()
	for _, device := range []bool{false, true} {
		for name, size := range map[string]int{"same size": len(dump), "larger": 32 << 20, "shorter than an end": 32 << 20} {
			if name == "shorter than an end" {
				dump = dump[:1024]
			}
			t.Run(name, func(t *testing.T) {
				path := stale(t, size)
				if device {
					path = loop(t, path)
				}
				r := importer(t, feed(t, dump), path)
				res, err := r.write(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !blank(t, path) {
					t.Error("the worker wrote an end of the disk")
				}
				if err := target.Commit(t.Context(), r.disk, r.Head, r.Tail); err != nil {
					t.Fatal(err)
				}
				compare(t, readDisk(t, path), behind(dump, size))
				if res.ImageBytes != int64(len(dump)) || len(dump) > 9<<20 && res.DataBytes > 12<<20 {
					t.Errorf("result %+v: want %d bytes, the zeros not written", res, len(dump))
				}
			})
			dump = dumped()
		}
	}
}

// TestImportHoles shows that zeros take no room on the disk, also where it had
// data before.
func TestImportHoles(t *testing.T) {
	t.Parallel()
	path := stale(t, 64<<20)
	r := importer(t, feed(t, behind(noise(1, 2<<20), 64<<20)), path)
	if _, err := r.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if used := st.Blocks * 512; used > 8<<20 {
		t.Errorf("the disk takes %d bytes after 2 MiB of data", used)
	}
}

func TestImportWipe(t *testing.T) {
	t.Parallel()
	path := stale(t, 16<<20)
	r := importer(t, feed(t, noise(1, 5<<20)), path)
	r.Wipe = target.WipeNone
	res, err := r.write(t.Context())
	if err != nil || res.Wiped != target.WipedLeft {
		t.Fatalf("import = %+v, %v, want the rest left", res, err)
	}
	if b := readDisk(t, path); !bytes.HasPrefix(b[8<<20:], []byte("stale!! ")) {
		t.Error("WIPE=none touched what is behind the dump")
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	_, writing := pipe(t)
	for _, tc := range []struct {
		name   string
		stream *os.File
		kind   report.Kind
		want   string
	}{
		{"empty", feed(t, nil), report.Image, "it is empty; look at what sends the dump"},
		{"one byte too many", feed(t, noise(1, 8<<20+1)), report.Disk, "too small: it has 8388608 bytes"},
		{"much too long", feed(t, noise(1, 20<<20)), report.Disk, "too small"},
		{"unreadable", writing, report.Image, "bad file descriptor"},
	} {
		path := stale(t, 8<<20)
		_, err := importer(t, tc.stream, path).write(t.Context())
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s), want %q", tc.name, err, report.KindOf(err), tc.want)
		}
		if !blank(t, path) || len(readDisk(t, path)) != 8<<20 {
			t.Errorf("%s: the disk is bootable or longer than before", tc.name)
		}
	}
}

// TestImportNoSpace fills the file system the disk lies on.
func TestImportNoSpace(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 32<<20)); err != nil {
		t.Fatal(err)
	}
	_, err := importer(t, feed(t, noise(1, 32<<20)), path).write(t.Context())
	if report.KindOf(err) != report.Disk || !strings.Contains(err.Error(), path+": writing") || !strings.Contains(err.Error(), "make room") {
		t.Errorf("import = %v (%s), want no space", err, report.KindOf(err))
	}
	if !blank(t, path) {
		t.Error("an end of the disk is not zero")
	}
}

// TestStreamCancel stops an import nobody sends to and an export nobody reads.
func TestStreamCancel(t *testing.T) {
	t.Parallel()
	silent, _ := pipe(t)
	_, full := pipe(t)
	path := stale(t, 8<<20)
	for name, r := range map[string]rig{
		"import": importer(t, silent, path),
		"export": exporter(t, writeSparse(t, dumped()), full),
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("interrupted")
		w, err := Start(ctx, r.Job)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		cancel(stop)
		if _, err := w.Wait(); !errors.Is(err, stop) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: Wait = %v, want the cause of the end", name, err)
		}
		if took := time.Since(start); took > grace {
			t.Errorf("%s: ended after %v, it had to be killed", name, took)
		}
		if err := unix.Kill(w.pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s: the worker is still there: %v", name, err)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	disk := dumped()
	file := writeSparse(t, disk)
	for name, path := range map[string]string{"file": file, "device": loop(t, writeSparse(t, disk)), "no holes": stale(t, 5<<20), "one hole": writeSparse(t, make([]byte, 9<<20))} {
		r, w := pipe(t)
		x := exporter(t, path, w)
		worker, err := Start(t.Context(), x.Job)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		res, err := worker.Wait()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compare(t, got, readDisk(t, path))
		if res.ImageBytes != int64(len(got)) || name == "file" && res.DataBytes > 4<<20 || name == "one hole" && res.DataBytes != 0 {
			t.Errorf("%s: %+v: holes were read", name, res)
		}
	}
}

// TestExportBesideReader: reading does not exclude reading, and writing does.
func TestExportBesideReader(t *testing.T) {
	t.Parallel()
	path := stale(t, 5<<20)
	first := exporter(t, path, nil)
	second := exporter(t, path, nil)
	_, _ = first.disk.Close(), second.disk.Close()
	w, err := target.Open(path, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := target.Open(path, target.Options{ReadOnly: true}); report.KindOf(err) != report.Busy {
		t.Errorf("opening a disk that is written = %v, want that it is busy", err)
	}
}

func TestExportFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, path string, r *os.File)
		kind report.Kind
		want string
	}{
		{"broken pipe", func(_ *testing.T, _ string, r *os.File) { _ = r.Close() }, report.Internal, "broken pipe; look at what receives"},
		{"truncated", func(_ *testing.T, path string, r *os.File) {
			_ = os.Truncate(path, 4<<20)
			_, _ = io.Copy(io.Discard, r)
		}, report.Disk, "stop what uses the disk"},
		{"changed", func(_ *testing.T, path string, r *os.File) {
			scribble(path)
			_, _ = io.Copy(io.Discard, r)
		}, report.Disk, "the disk was changed while it was read"},
	} {
		path := stale(t, 64<<20)
		r, w := pipe(t)
		x := exporter(t, path, w)
		worker, err := Start(t.Context(), x.Job)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		tc.harm(t, path, r)
		_, err = worker.Wait()
		if report.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s), want %q", tc.name, err, report.KindOf(err), tc.want)
		}
	}
}

// TestExportResult: a worker cannot claim less than the whole disk.
func TestExportResult(t *testing.T) {
	t.Parallel()
	j := Job{Action: Export, DiskSize: spec.EndSize * 4}
	r := Result{ImageBytes: j.DiskSize, DataBytes: j.DiskSize, Wiped: target.WipedNothing}
	if err := r.check(j); err != nil {
		t.Errorf("check of a whole dump = %v", err)
	}
	r.ImageBytes, r.DataBytes = 512, 512
	if err := r.check(j); !errors.Is(err, errProtocol) {
		t.Errorf("check of half a dump = %v, want %v", err, errProtocol)
	}
}

// TestExportReadError reads a device whose last part is broken.
func TestExportReadError(t *testing.T) {
	t.Parallel()
	path := stale(t, 16<<20)
	dev := loop(t, path)
	if err := os.Truncate(path, 9<<20); err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	x := exporter(t, dev, w)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	_, err := x.write(t.Context())
	if report.KindOf(err) != report.Disk || !strings.Contains(err.Error(), dev) || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("export = %v (%s), want an error of the disk", err, report.KindOf(err))
	}
}
