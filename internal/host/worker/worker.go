// Package worker runs the image worker: a child of ours that decodes an image
// and writes it to a disk, with descriptors only. It takes and makes raw dumps of
// disks as well: their bytes are as untrusted as those of an image.
//
// The child is this very program, started again under the name Name. It has an
// empty environment, no path to open, no privilege beyond its descriptors
// (image, disk, head, tail, spool and two pipes), and it dies with the host process.
// What it says is bounded and checked; it is believed about nothing that the
// host can know better. Before it writes to the disk it says what the image is, and waits
// until the host lets it go on.
//
// It is large because parent and child are here, with import and export: the two ends
// of one conversation.
package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
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

// repeat is the time between two of them.
const repeat = 50 * time.Millisecond

// Job is one image to be written to one disk, or a dump to be taken or made.
type Job struct {
	Action Action      `json:"action,omitempty"`
	Format spec.Format `json:"format"`
	// Stored is how many bytes are stored, as the host measured them. Of a stream it is
	// what the sender declares, 0 for nothing.
	Stored int64 `json:"stored"`
	// Stream means that From delivers its bytes once, in order.
	Stream   bool        `json:"stream,omitempty"`
	DiskSize int64       `json:"disk_size"`
	Wipe     target.Wipe `json:"wipe"`
	// Server describes the NBD server that serves the disk; its descriptor is the
	// connection then. nil for a disk of this node.
	Server *nbd.Export `json:"server,omitempty"`
	// HasSpool tells the worker about Spool. Start sets it.
	HasSpool bool `json:"has_spool,omitempty"`

	// Cold means that the image is not in the page cache, and shall not stay there. Start
	// sets it.
	Cold bool `json:"cold,omitempty"`

	// From is open for reading, To for writing. Head and Tail stand for the ends of the
	// disk To (target.NewEnd); nil where no disk is written. Spool is an empty file for
	// what has to be read in any order and comes as a stream; nil for none.
	From, To, Head, Tail, Spool *os.File `json:"-"`
	// Geometry, if not nil, is called once, when it is known what the image is and before
	// the first byte is written to the disk. An error ends the worker.
	Geometry func(Geometry) error `json:"-"`
	// UID and GID are what a host that is root makes the worker; 0 keeps root
	// and is for tests only.
	UID, GID uint32 `json:"-"`
	// Progress, if not nil, is called a few times a second from one goroutine.
	Progress func(Progress) `json:"-"`
	// Interval is the time between two calls; 0 means 200 ms.
	Interval time.Duration `json:"interval,omitempty"`
}

// Worker is a running image worker.
type Worker struct {
	layers, missing []string
	cold            bool

	pid    int
	done   chan struct{}
	result Result
	err    error
}

// Layers names what confines the worker, for the report.
func (w *Worker) Layers() []string { return w.layers }

// Missing names the layers that this node refused.
func (w *Worker) Missing() []string { return w.missing }

// Cold reports whether the image was not in the page cache, and shall not stay there.
func (w *Worker) Cold() bool { return w.cold }

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
	j.HasSpool = j.Spool != nil
	j.Cold = !j.Stream && (j.Action == Deploy || j.Action == Look) && isCold(j.From, j.Stored)
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding the worker's job: %w", err)
	}
	w := &Worker{cold: j.Cold, done: make(chan struct{})}
	started := make(chan error, 1)
	go w.run(ctx, j, text, started)
	if err := <-started; err != nil {
		<-w.done
		return nil, err
	}
	return w, nil
}

// run starts the child and sees it through to its end on one thread, which
// ends with it: the signal at the parent's death comes when that thread dies.
func (w *Worker) run(ctx context.Context, j Job, text []byte, started chan<- error) {
	defer close(w.done)
	runtime.LockOSThread()
	child, err := w.spawn(ctx, j)
	if err != nil {
		started <- explain(ctx, j.Action, err)
		return
	}
	w.pid = child.Process.Process.Pid
	started <- nil
	w.result, w.err = child.converse(ctx, j, text)
	w.err = explain(ctx, j.Action, w.err)
}

// child is the process and our ends of its pipes.
type child struct {
	*confine.Process
	job    io.WriteCloser
	lines  io.ReadCloser
	stderr *command.Tail
}

// spawn starts the child as confined as this host process can make it.
func (w *Worker) spawn(ctx context.Context, j Job) (*child, error) {
	theirJob, job, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe to the worker: %w", err)
	}
	defer func() { _ = theirJob.Close() }()
	lines, theirLines, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe from the worker: %w", err), job.Close())
	}
	defer func() { _ = theirLines.Close() }()
	c := &child{job: job, lines: lines, stderr: &command.Tail{Max: maxTail}}
	description := confinement(j)
	description.Stdin, description.Stdout, description.Stderr = theirJob, theirLines, c.stderr
	if c.Process, err = description.Start(ctx); err != nil {
		if ctx.Err() == nil {
			err = startFailure(err)
		}
		return nil, errors.Join(err, job.Close(), lines.Close())
	}
	w.layers, w.missing = c.Layers, c.Missing
	return c, nil
}

// converse hands over the job, listens to the end, and waits for the child.
func (c *child) converse(ctx context.Context, j Job, text []byte) (Result, error) {
	_, sendErr := c.job.Write(text)
	allow := func() error {
		err := json.NewEncoder(c.job).Encode(goAhead{true})
		if errors.Is(err, unix.EPIPE) { // it is gone, which its end explains
			return nil
		}
		return err
	}
	stop := c.insist(ctx)
	// Whoever stays when all is said means to do what nobody looks at any more.
	var late *time.Timer
	result, err := listen(c.lines, j, allow, func() { late = time.AfterFunc(grace, c.kill) })
	stop()
	_ = c.job.Close() // it has read everything, or never will
	if err != nil {
		c.kill()
	}
	waitErr := c.Wait()
	if late != nil {
		late.Stop()
	}
	_ = c.lines.Close()
	no, isRefused := errors.AsType[*refused](err)
	switch {
	case isRefused:
		return Result{}, no.error
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	case err != nil && !errors.Is(err, errSilent):
		return Result{}, err
	case err != nil || waitErr != nil:
		return Result{}, c.died(j.Action, cmp.Or(waitErr, err, sendErr))
	}
	return result, nil
}

// kill ends the child and whatever is in its process group; it may have ended.
func (c *child) kill() { _ = syscall.Kill(-c.Process.Process.Pid, syscall.SIGKILL) }

// insist repeats the signal to stop after ctx has ended, until the returned function is
// called, which has to be before the child is waited for. As the first process of its
// namespace the child loses a signal that comes before it can take one.
func (c *child) insist(ctx context.Context) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ctx.Done():
		case <-quit:
			return
		}
		for {
			select {
			case <-time.After(repeat):
				_ = syscall.Kill(-c.Process.Process.Pid, syscall.SIGTERM) // it may have ended
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// died describes a worker that ended without an answer.
func (c *child) died(a Action, err error) error {
	if text := c.stderr.Text(maxTail); text != "" {
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

// explain tells what was ended by ctx.
func explain(ctx context.Context, a Action, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%s: %w", a.what(), err)
}

// maxTail bounds what is kept of what the worker prints on stderr, in bytes.
const maxTail = 1024

// LookAt returns what the image of j is. j needs nothing but Format, From and Stored.
func LookAt(ctx context.Context, j Job) (Geometry, error) {
	var found Geometry
	j.Action = Look
	j.Geometry = func(g Geometry) error { found = g; return nil }
	w, err := Start(ctx, j)
	if err != nil {
		return found, err
	}
	_, err = w.Wait()
	return found, err
}
