// Package worker runs the image worker: a child of ours that decodes an image
// and writes it to a disk, with descriptors only. It takes and makes raw dumps of
// disks as well: their bytes are as untrusted as those of an image.
//
// The child is this very program, started again under the name Name. It has an
// empty environment, no path to open, no privilege beyond its descriptors
// (image, disk, head, tail and two pipes), and it dies with the host process.
// What it says is bounded and checked; it is believed about nothing that the
// host can know better.
package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/nbd"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Name is the worker's argv[0]. A program that can be the worker calls Main,
// before anything else, when it is started under this name.
const Name = "snf-image-worker"

// grace is how long a worker has between SIGTERM and SIGKILL.
const grace = 2 * time.Second

// Job is one image to be written to one disk, or a dump to be taken or made.
type Job struct {
	Action    Action      `json:"action,omitempty"`
	Format    spec.Format `json:"format"`
	ImageSize int64       `json:"image_size"` // stored bytes, as the host measured them
	// Stream says that Image delivers its bytes once, in order. ImageSize is then
	// what the sender declares, 0 for nothing.
	Stream   bool        `json:"stream,omitempty"`
	DiskSize int64       `json:"disk_size"`
	Wipe     target.Wipe `json:"wipe"`
	// Export says that the disk, which is Disk, or Image when it is exported, is a
	// connection to an NBD server that serves this.
	Export *nbd.Export `json:"export,omitempty"`

	// Image and Disk are open for reading and for writing. Head and Tail stand
	// for the ends of the disk (target.NewEnd); nil for an export.
	Image, Disk, Head, Tail *os.File `json:"-"`
	// UID and GID are what a host that is root makes the worker; 0 keeps root
	// and is for tests only.
	UID, GID uint32 `json:"-"`
	// Progress, if not nil, is called a few times a second from one goroutine
	// with the bytes of the image's data that are done, and how many there are.
	Progress func(position, total int64) `json:"-"`
	// Interval is the time between two calls; 0 means 200 ms.
	Interval time.Duration `json:"interval,omitempty"`
}

// Worker is a running image worker.
type Worker struct {
	layers []string
	pid    int
	done   chan struct{}
	result Result
	err    error
}

// Layers names what confines the worker, for the report.
func (w *Worker) Layers() []string { return w.layers }

// Wait waits until the worker has ended and returns what it did. A failure of
// the image or the disk is a *report.Failure; the ends of the disk are zero
// then, or were never touched.
func (w *Worker) Wait() (Result, error) {
	<-w.done
	return w.result, w.err
}

// Start starts the worker. When ctx ends, the worker is told to stop and
// killed soon after; Wait must be called in any case.
func Start(ctx context.Context, j Job) (*Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding the worker's job: %w", err)
	}
	w := &Worker{done: make(chan struct{})}
	started := make(chan error, 1)
	go w.run(ctx, j, text, started)
	if err := <-started; err != nil {
		<-w.done
		return nil, err
	}
	return w, nil
}

// run starts the child and sees it through to its end on one thread, which
// ends with it: no_new_privs belongs to the thread that forks, and the signal
// at the parent's death comes when that thread dies.
func (w *Worker) run(ctx context.Context, j Job, text []byte, started chan<- error) {
	defer close(w.done)
	runtime.LockOSThread()
	child, err := w.spawn(ctx, j)
	if err != nil {
		started <- err
		return
	}
	w.pid = child.cmd.Process.Pid
	started <- nil
	w.result, w.err = child.converse(ctx, j, text)
	w.err = explain(ctx, j.Action, w.err)
}

// child is the process and our ends of its pipes.
type child struct {
	cmd    *exec.Cmd
	job    io.WriteCloser
	lines  io.Reader
	stderr *tail
}

// spawn starts the child as confined as this host process can make it.
func (w *Worker) spawn(ctx context.Context, j Job) (*child, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("giving up privileges for the worker: %w", err)
	}
	// Descriptors that whoever started us left open must not reach the child.
	// Linux before 5.11 does not know how: one layer of several is missing then.
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("closing descriptors for the worker: %w", err)
	}
	w.layers = []string{"no-new-privs", "process group", "empty environment", "rlimits"}
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return launch(ctx, j, attr)
	}
	if j.UID != 0 {
		attr.Credential = &syscall.Credential{Uid: j.UID, Gid: j.GID}
		w.layers = append(w.layers, "uid")
	}
	attr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
	c, err := launch(ctx, j, attr)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSPC) {
		w.layers = append(w.layers, "network namespace", "ipc namespace")
		return c, err
	}
	// Root in a container may not make namespaces, or there are as many as the node
	// allows.
	attr.Cloneflags = 0
	return launch(ctx, j, attr)
}

func launch(ctx context.Context, j Job, attr *syscall.SysProcAttr) (*child, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args, cmd.Env, cmd.Dir = []string{Name}, []string{}, "/"
	cmd.ExtraFiles = []*os.File{j.Image, j.Disk, j.Head, j.Tail} // descriptors 3 to 6
	cmd.SysProcAttr, cmd.WaitDelay = attr, grace
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	c := &child{cmd: cmd, stderr: &tail{}}
	cmd.Stderr = c.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to the worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe from the worker: %w", err)
	}
	c.job, c.lines = in, out
	if err := cmd.Start(); err != nil {
		return nil, startFailure(err)
	}
	return c, nil
}

// converse hands over the job, listens to the end, and waits for the child.
func (c *child) converse(ctx context.Context, j Job, text []byte) (Result, error) {
	_, sendErr := c.job.Write(text)
	sendErr = errors.Join(sendErr, c.job.Close())
	result, err := listen(c.lines, j)
	if err != nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	}
	waitErr := c.cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	case err != nil && !errors.Is(err, errSilent):
		return Result{}, err
	case err != nil || waitErr != nil:
		return Result{}, c.died(j.Action, cmp.Or(waitErr, err, sendErr))
	}
	return result, nil
}

// died describes a worker that ended without an answer.
func (c *child) died(a Action, err error) error {
	if text := c.stderr.String(); text != "" {
		err = fmt.Errorf("%w; its last words: %q", err, text)
	}
	return &report.Failure{Kind: report.Internal, What: a.what(), On: Name, Cause: err}
}

func startFailure(err error) error {
	f := &report.Failure{Kind: report.Internal, What: "starting the image worker", Cause: err}
	if errors.Is(err, unix.EACCES) {
		f.Kind, f.Remedy = report.Node, "make the snf-image program executable for everybody (chmod 755)"
	}
	return f
}

// explain gives an end by ctx the words of an administrator.
func explain(ctx context.Context, a Action, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%s: %w", a.what(), err)
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const maxTail = 1024

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
