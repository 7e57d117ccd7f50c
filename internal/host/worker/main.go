package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/foreign"
	"snf-image/internal/host/format"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// Limits of the worker process.
const (
	memoryLimit = 48 << 20 // what the garbage collector aims at
	maxFiles    = 64
	interval    = 200 * time.Millisecond // between two progress lines
)

// Main is the worker process: it reads one job from stdin, works on the
// descriptors that Start handed over, and says what happened on stdout. It
// opens no file. The error it returns has been reported already, if stdout
// still works.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	if err := giveUp(); err != nil {
		return err
	}
	out := &speaker{enc: json.NewEncoder(stdout)}
	var j Job
	if err := json.NewDecoder(io.LimitReader(stdin, maxLine)).Decode(&j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	j.Image, j.Disk = os.NewFile(3, "image"), os.NewFile(4, "disk")
	if j.Action != Export { // which has no ends
		j.Head, j.Tail = os.NewFile(5, "head"), os.NewFile(6, "tail")
	}
	result, err := j.Action.do(ctx, j, out)
	if err != nil {
		return errors.Join(err, out.say(message{Failure: j.Action.wire(err)}))
	}
	return out.say(message{Result: &result})
}

// giveUp gives up what is left to give up after Start.
func giveUp() error {
	debug.SetMemoryLimit(memoryLimit)
	for res, max := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_MEMLOCK: 0} {
		if err := unix.Setrlimit(res, &unix.Rlimit{Cur: max, Max: max}); err != nil {
			return fmt.Errorf("limiting resource %d: %w", res, err)
		}
	}
	// Not to be traced or dumped, also by a process of the same uid.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// work writes the image.
func work(ctx context.Context, j Job, out *speaker) (Result, error) {
	start := time.Now()
	before, err := look(j)
	if err != nil {
		return Result{}, err
	}
	image, err := format.Open(j.Format, j.Image)
	if err != nil {
		return Result{}, imageError(err)
	}
	if image.Size() > j.DiskSize {
		return Result{}, imageError(fmt.Errorf("it needs a disk of %d bytes, this one has %d", image.Size(), j.DiskSize))
	}
	w, err := j.writer()
	if err != nil {
		return Result{}, diskError(err)
	}
	r, err := write(ctx, j, image, w, out)
	if err != nil {
		return Result{}, err
	}
	r.Seconds = time.Since(start).Seconds()
	return r, unchanged(j, before)
}

// write does everything that changes the disk, in the order that keeps it
// unbootable: ends, body, what lies behind the image, flush.
func write(ctx context.Context, j Job, image format.Disk, w *target.Writer, out *speaker) (Result, error) {
	if err := w.BlankEnds(); err != nil {
		return Result{}, diskError(err)
	}
	c := &copier{image: image, disk: w}
	if p, ok := image.(format.Plain); ok {
		c.plain = p.File()
	}
	stop := out.watch(c, cmp.Or(j.Interval, interval))
	sum, err := c.run(ctx)
	stop()
	if err != nil {
		return Result{}, err
	}
	wiped, n, err := w.Wipe(ctx, image.Size(), j.Wipe)
	if err != nil {
		return Result{}, diskError(err)
	}
	if err := w.Flush(); err != nil {
		return Result{}, diskError(err)
	}
	return Result{
		ImageBytes: image.Size(), DataBytes: w.DataBytes(), ZeroedBytes: image.Size() - w.DataBytes(), Zeroing: w.Zeroing(),
		Wiped: wiped, WipedBytes: n, Direct: w.Direct(), Digest: sum,
	}, nil
}

// look checks that the image is as long as the host saw it, and remembers it.
func look(j Job) (os.FileInfo, error) {
	st, err := j.Image.Stat()
	if err != nil {
		return nil, imageError(err)
	}
	size, err := j.Image.Seek(0, io.SeekEnd)
	if err == nil && size < j.ImageSize {
		err = format.ErrTruncated
	} else if err == nil && size > j.ImageSize {
		err = errChanged
	}
	if err != nil {
		return nil, imageError(err)
	}
	return st, nil
}

var errChanged = errors.New("the image was changed while it was read")

// unchanged refuses an image that somebody wrote to meanwhile: what is on the
// disk is neither its old nor its new content.
func unchanged(j Job, before os.FileInfo) error {
	st, err := j.Image.Stat()
	if err != nil {
		return imageError(err)
	}
	if touched(before, st) {
		return imageError(errChanged)
	}
	return nil
}

// touched reports whether a regular file was changed between two looks at it. The time
// of the last change of its inode counts: a writer can put back the time of the last
// write. A device has neither.
func touched(before, after os.FileInfo) bool {
	return after.Mode().IsRegular() && (after.Size() != before.Size() || changeTime(after) != changeTime(before))
}

// changeTime is when the file or what is known about it was last changed, which nobody
// can set.
func changeTime(st os.FileInfo) syscall.Timespec {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return syscall.Timespec{}
	}
	return sys.Ctim
}

// wire turns an error into what the host is told.
func wire(err error) *failure {
	f := &failure{Kind: report.Internal, What: "writing the image", Cause: err.Error()}
	b, ok := errors.AsType[*blame](err)
	switch {
	case ok && b.disk:
		f.Kind = report.Disk
		if errors.Is(err, errTooLong) {
			f.Remedy = "use a larger disk"
		}
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			f.Remedy = "make room on the file system or the pool the disk lies on"
		}
	case ok:
		f.Kind, f.What = report.Image, "reading the image"
		if foreign, ok := errors.AsType[*foreign.File](err); ok {
			f.Remedy = foreign.Remedy
		}
		switch {
		case errors.Is(err, errCut):
			f.Remedy = "fetch or make the image again, and look at what sends it"
		case errors.Is(err, errEmpty), errors.Is(err, errOdd):
			f.Remedy = "look at what the server sends"
		}
		if errors.Is(err, format.ErrTruncated) || errors.Is(err, errChanged) {
			f.Remedy = "fetch or make the image again, and leave it and its name alone while it is deployed"
		}
	}
	return f
}

// speaker writes one message a line.
type speaker struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (s *speaker) say(m message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enc.Encode(m)
}

// watch reports the progress of c now and then, and at the end, until the
// returned function is called. A host that is gone is noticed by its signal.
func (s *speaker) watch(c *copier, every time.Duration) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.progress(c)
			case <-quit:
				s.progress(c)
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

func (s *speaker) progress(c *copier) {
	done, total := c.done.Load(), c.total.Load()
	if total > 0 { // it is unknown of some streams
		done = min(done, total)
	}
	_ = s.say(message{Progress: &progress{done, total}})
}
