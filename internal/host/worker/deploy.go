package worker

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/foreign"
	"snf-image/internal/host/format"
	"snf-image/internal/host/target"
	"snf-image/internal/report"
)

// deploy decodes the image and, unless it is only looked at, writes it to the disk. Files
// and streams begin with the same code: what the image is decides what follows.
func deploy(ctx context.Context, j Job, out *speaker) (Result, error) {
	start := time.Now()
	before, err := look(j)
	if err != nil {
		return Result{}, err
	}
	defer j.shed()()
	s := newStored(j)
	stop := func() {}
	s.source.Spooling = func() { stop = out.watch(s.progress, cmp.Or(j.Interval, interval)) }
	image, err := format.Open(j.Format, s.source)
	stop()
	if err != nil {
		return Result{}, opening(err)
	}
	var mbr bool
	if j.Action == Look || image.Size <= j.DiskSize { // else nothing is waited for: the host refuses it
		if mbr, err = hasMBR(image); err != nil {
			return Result{}, reading(err)
		}
	}
	if err := out.ask(Geometry{Format: image.Format, Layers: image.Layers, DiskBytes: image.Size, MBR: mbr}); err != nil || j.Action == Look {
		return Result{}, err
	}
	if image.Size > j.DiskSize { // which the host has checked
		return Result{}, writing(fmt.Errorf("%w of %d bytes, this one has %d", format.ErrTooLarge, image.Size, j.DiskSize))
	}
	r, err := s.write(ctx, image, out)
	if err != nil {
		return Result{}, err
	}
	if err := s.end(); err != nil {
		return Result{}, err
	}
	r.Seconds = time.Since(start).Seconds()
	return r, unchanged(j, before)
}

// hasMBR looks at the first sector of the disk, and leaves it in a stream. Some streams tell
// only once what is wrong with them.
func hasMBR(image *format.Image) (bool, error) {
	switch {
	case image.Disk != nil:
		head := make([]byte, target.Sector)
		_, err := image.Disk.ReadAt(head, 0)
		return err == nil && mbrEnd(head) > 0, nil // what is wrong comes out when it is read for good
	case image.Stream != nil: // none when an image is looked at that has to be unpacked before
		ahead := bufio.NewReaderSize(image.Stream, target.Sector)
		image.Stream = ahead
		head, err := ahead.Peek(target.Sector)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, report.Bare(err)
		}
		return err == nil && mbrEnd(head) > 0, nil
	}
	return false, nil
}

// opening tells whose fault it is that an image cannot be opened.
func opening(err error) error {
	switch {
	case errors.Is(err, format.ErrRoom):
		return &fault{spoolSide, err}
	case errors.Is(err, format.ErrTooLarge):
		return writing(err)
	}
	return reading(err)
}

// write does everything that changes the disk, in the order that keeps it
// unbootable: ends, body, what lies behind the image, flush.
func (s *stored) write(ctx context.Context, image *format.Image, out *speaker) (Result, error) {
	j := s.job
	w, err := j.writer()
	if err != nil {
		return Result{}, writing(err)
	}
	if err := w.BlankEnds(); err != nil {
		return Result{}, writing(err)
	}
	c := &copier{image: image.Disk, disk: w}
	if p, ok := image.Disk.(format.Plain); ok && len(image.Layers) == 0 {
		c.plain = p.File()
	}
	c.total.Store(image.Size)
	if image.Size == 0 { // the bytes that are stored are what is known
		c.taken, c.stored = &s.taken, j.Stored
	}
	stop := out.watch(c.progress, cmp.Or(j.Interval, interval))
	size, sum := image.Size, ""
	if image.Disk == nil {
		size, sum, err = c.pour(ctx, image.Stream, j)
	} else {
		sum, err = c.run(ctx)
	}
	stop()
	if err != nil {
		return Result{}, err
	}
	return finish(ctx, w, j, size, sum)
}

// finish does what comes after the last byte of an image or a dump of size bytes.
func finish(ctx context.Context, w *target.Writer, j Job, size int64, sum string) (Result, error) {
	wiped, n, err := w.Wipe(ctx, size, j.Wipe)
	if err != nil {
		return Result{}, writing(err)
	}
	if err := w.Flush(); err != nil {
		return Result{}, writing(err)
	}
	return Result{
		ImageBytes: size, DataBytes: w.DataBytes(), ZeroedBytes: size - w.DataBytes(), Zeroing: w.Zeroing(),
		Wiped: wiped, WipedBytes: n, Direct: w.Direct(), Digest: sum,
	}, nil
}

// look checks that an image file is as long as the host saw it, and remembers it.
func look(j Job) (os.FileInfo, error) {
	if j.Stream {
		return nil, nil
	}
	st, err := j.From.Stat()
	if err != nil {
		return nil, reading(report.Bare(err))
	}
	size, err := j.From.Seek(0, io.SeekEnd)
	if err == nil && size < j.Stored {
		err = format.ErrTruncated
	} else if err == nil && size > j.Stored {
		err = errChanged
	}
	if err != nil {
		return nil, reading(err)
	}
	return st, nil
}

var errChanged = errors.New("the image was changed while it was read")

// unchanged refuses an image that somebody wrote to meanwhile: what is on the
// disk is neither its old nor its new content.
func unchanged(j Job, before os.FileInfo) error {
	if before == nil {
		return nil
	}
	st, err := j.From.Stat()
	if err != nil {
		return reading(report.Bare(err))
	}
	if Touched(before, st) {
		return reading(errChanged)
	}
	return nil
}

// Touched reports whether a regular file was changed between two looks at it. The time
// of the last change of its inode counts: a writer can put back the time of the last
// write. A device has neither.
func Touched(before, after os.FileInfo) bool {
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

// imageRemedy returns what to do about an error of a deployment.
func imageRemedy(err error) string {
	if file, ok := errors.AsType[*foreign.File](err); ok {
		return file.Remedy
	}
	switch {
	case errors.Is(err, errTooLong), errors.Is(err, format.ErrTooLarge):
		return "use a larger disk"
	case errors.Is(err, format.ErrRoom):
		return "make room there, set SPOOL_DIR in the configuration, or unpack the image and name its file"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "make room on the file system or the pool the disk lies on"
	case errors.Is(err, errCut), errors.Is(err, format.ErrEmpty):
		return "fetch or make the image again, and look at what sends it"
	case errors.Is(err, format.ErrOdd):
		return "fetch or make the image again, or name its real format"
	case errors.Is(err, format.ErrTruncated), errors.Is(err, errChanged):
		return "fetch or make the image again, and leave it and its name alone while it is deployed"
	case errors.Is(err, format.ErrAmbiguous):
		return "name its format, if it comes from where it should"
	case errors.Is(err, format.ErrDamaged):
		return "fetch or make the image again"
	case errors.Is(err, format.ErrNotExt), errors.Is(err, format.ErrNotNTFS):
		return "name its real format"
	case errors.Is(err, format.ErrRefused):
		return "make another image of it, by qemu-img convert for example"
	}
	return ""
}
