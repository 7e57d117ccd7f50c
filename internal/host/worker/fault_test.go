package worker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func TestKilled(t *testing.T) {
	t.Parallel()
	disk := stale(t, 96<<20)
	r := open(t, writeSparse(t, noise(9, 96<<20)), disk)
	image := noise(9, 96<<20)
	from, to, err := os.Pipe() // which keeps back the second half, so that the worker cannot end first
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(from.Close(), to.Close()) })
	go func() { _, _ = to.Write(image[:len(image)/2]) }()
	r.From, r.Stream, r.Interval = from, true, time.Millisecond
	worker := make(chan *Worker, 1)
	struck := false
	r.Progress = func(p Progress) {
		if !struck && p.Position > 0 {
			struck = true
			_ = syscall.Kill((<-worker).pid, syscall.SIGKILL)
		}
	}
	w, err := Start(t.Context(), r.Job)
	if err != nil {
		t.Fatal(err)
	}
	worker <- w
	_, err = w.Wait()
	if report.KindOf(err) != report.Internal || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Wait after SIGKILL = %v (%s)", err, report.KindOf(err))
	}
	checkGone(t, w, disk)
}

// checkGone: a worker that was stopped leaves no process and no end of a disk.
func checkGone(t *testing.T, w *Worker, disk string) {
	t.Helper()
	if err := syscall.Kill(w.pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the worker is still there: %v", err)
	}
	if !blank(t, disk) {
		t.Error("an end of the disk is not zero")
	}
}

func TestTruncatedMidway(t *testing.T) {
	t.Parallel()
	image := writeSparse(t, noise(9, 96<<20))
	disk := stale(t, 96<<20)
	r := open(t, image, disk)
	r.Interval = time.Millisecond
	r.Progress = func(Progress) { _ = os.Truncate(image, 1<<20) }
	_, err := r.write(t.Context())
	if report.KindOf(err) != report.Image || !strings.Contains(err.Error(), image) {
		t.Errorf("Wait = %v (%s), want a failure of the image", err, report.KindOf(err))
	}
	if !blank(t, disk) {
		t.Error("an end of the disk is not zero")
	}
}

// scribble changes a file and puts the time of its last write back.
func scribble(path string) {
	st, err := os.Stat(path)
	if err != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteAt([]byte("changed"), st.Size()/2)
	_ = f.Close()
	_ = os.Chtimes(path, st.ModTime(), st.ModTime())
}

func TestImageChanges(t *testing.T) {
	t.Parallel()
	image := writeSparse(t, noise(9, 96<<20))
	r := open(t, image, stale(t, 96<<20))
	r.Interval = time.Millisecond
	r.Progress = func(p Progress) {
		if p.Position < p.Total {
			scribble(image)
		}
	}
	_, err := r.write(t.Context())
	if report.KindOf(err) != report.Image || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("Wait = %v, want that the image was changed", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	disk := stale(t, 96<<20)
	r := open(t, writeSparse(t, noise(9, 96<<20)), disk)
	r.Interval = time.Millisecond
	r.Progress = func(p Progress) {
		if p.Position < p.Total {
			cancel(stop)
		}
	}
	w, err := Start(ctx, r.Job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(); !errors.Is(err, stop) {
		t.Errorf("Wait = %v, want the cause of the end", err)
	}
	checkGone(t, w, disk)
	if _, err := Start(ctx, r.Job); !errors.Is(err, stop) {
		t.Errorf("Start after the end = %v", err)
	}
}

// TestNoSpace writes to a file system that is too small.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	disk := dir + "/disk"
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 32<<20); err != nil {
		t.Fatal(err)
	}
	r := open(t, writeSparse(t, noise(3, 32<<20)), disk)
	_, err := r.write(t.Context())
	if report.KindOf(err) != report.Disk || !strings.Contains(err.Error(), "no space left on device; make room") {
		t.Errorf("Wait = %v (%s), want a failure of the disk", err, report.KindOf(err))
	}
	if !strings.Contains(err.Error(), disk) {
		t.Errorf("%v does not name the disk", err)
	}
}

func TestWrongSize(t *testing.T) {
	t.Parallel()
	r := open(t, writeSparse(t, noise(3, 5<<20)), stale(t, 8<<20))
	for name, tc := range map[string]struct {
		size int64
		want string
	}{
		"image is shorter": {6 << 20, "shorter than it was"},
		"image is longer":  {4 << 20, "changed while it was read"},
	} {
		j := r
		j.Stored = tc.size
		_, err := j.write(t.Context())
		if report.KindOf(err) != report.Image || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if b := readDisk(t, r.disk.Path); !bytes.HasPrefix(b, []byte("stale!!")) {
		t.Error("a refused image changed the disk")
	}
}

// TestConfined looks at a worker in mid-copy.
func TestConfined(t *testing.T) {
	t.Parallel()
	var status, environ string
	var descriptors []string
	leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(leak) }()
	r := open(t, writeSparse(t, noise(9, 96<<20)), stale(t, 96<<20))
	r.UID, r.GID, r.Interval = 65534, 65534, time.Millisecond
	worker := make(chan *Worker, 1)
	r.Progress = func(Progress) {
		if status != "" {
			return
		}
		w := <-worker
		dir := "/proc/" + itoa(w.pid)
		b, _ := os.ReadFile(dir + "/status")
		e, _ := os.ReadFile(dir + "/environ")
		status, environ = string(b), string(e)
		links, _ := os.ReadDir(dir + "/fd")
		for _, l := range links {
			to, _ := os.Readlink(dir + "/fd/" + l.Name())
			descriptors = append(descriptors, to)
		}
	}
	w, err := Start(t.Context(), r.Job)
	if err != nil {
		t.Fatal(err)
	}
	worker <- w
	if _, err := w.Wait(); err != nil {
		t.Fatal(err)
	}
	wants := []string{"NoNewPrivs:\t1"}
	if os.Geteuid() == 0 {
		wants = append(wants, "Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "Groups:\t \n", "NSpid:\t"+itoa(w.pid)+"\t1\n")
	}
	for _, want := range wants {
		if !strings.Contains(status, want) {
			t.Errorf("status of the worker lacks %q:\n%s", want, status)
		}
	}
	if environ != "" {
		t.Errorf("the worker has an environment: %q", environ)
	}
	for _, d := range descriptors {
		if strings.Contains(d, "passwd") {
			t.Errorf("the worker holds %v", descriptors)
		}
	}
}

// TestStoppedAtStart ends a run while the worker is being started: that is what it says, and
// not that the worker was faulty.
func TestStoppedAtStart(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	stopped := errors.New("stopped")
	for after := range 20 {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(time.Duration(after)*2*time.Millisecond, func() { cancel(stopped) })
		_, err := LookAt(ctx, Job{From: f, Format: spec.Raw})
		timer.Stop()
		if ctx.Err() != nil && !errors.Is(err, stopped) && report.KindOf(err) == report.Internal {
			t.Errorf("told to end after %d ms: %v", after*2, err)
		}
		cancel(nil)
	}
}
