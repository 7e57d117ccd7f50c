package deploy

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// maxUnpacked is the largest disk of which only the end tells how large it is.
const maxUnpacked = 8 << 40

// unpack returns the disk in an image as a file: the image itself, or one without a name
// in SPOOL_DIR, where a confined worker writes it as it would write a disk.
func unpack(ctx context.Context, set session.Settings, image *source.Image, g worker.Geometry, ids confine.Identities, watch Watch) (_ *os.File, err error) {
	if g.Format == spec.Raw && len(g.Layers) == 0 {
		return image.File, nil
	}
	disk, err := unnamed(set.Config.SpoolDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = disk.Close()
		}
	}()
	spool, err := newSpool(set.Config.SpoolDir, g.Format, len(g.Layers) > 0)
	if err != nil {
		return nil, err
	}
	defer spool.Close() //nolint:errcheck // it is nil, or has no name
	e, err := newEnds()
	if err != nil {
		return nil, err
	}
	defer e.close()
	size := max(g.DiskBytes, target.MinSize)
	if g.DiskBytes == 0 {
		size = maxUnpacked
	}
	if err := disk.Truncate(size); err != nil {
		return nil, unpackFailure(disk, report.Bare(err))
	}
	messages := newCopyMessages(watch.Sink, watch.Progress, "unpacking the image")
	job := worker.Job{
		Format: g.Format, Stored: image.Stored, DiskSize: size, Wipe: target.WipeNone,
		From: image.File, To: disk, Head: e.head, Tail: e.tail, Spool: spool, Progress: messages.add,
	}
	result, err := worked(ctx, job, ids)
	if err != nil {
		return nil, err
	}
	messages.end(result.ImageBytes)
	return disk, join(disk, e, result.ImageBytes, size)
}

// worked runs a job of the image worker to its end.
func worked(ctx context.Context, job worker.Job, ids confine.Identities) (worker.Result, error) {
	if id := ids.Worker; id != nil {
		job.UID, job.GID = id.Uid, id.Gid
	}
	w, err := worker.Start(ctx, job)
	if err != nil {
		return worker.Result{}, err
	}
	return w.Wait()
}

// join puts the ends of the disk to it, and gives it the length it has.
func join(disk *os.File, e ends, length, size int64) error {
	// The worker may have left the page cache out, which takes aligned pieces only.
	flags, err := unix.FcntlInt(disk.Fd(), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(disk.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT)
	}
	for _, end := range []struct {
		from *os.File
		at   int64
	}{{e.head, 0}, {e.tail, size - spec.EndSize}} {
		b := make([]byte, spec.EndSize)
		if err == nil {
			_, err = end.from.ReadAt(b, 0)
		}
		if err == nil {
			_, err = disk.WriteAt(b, end.at)
		}
	}
	if err == nil {
		err = disk.Truncate(length)
	}
	if err != nil {
		return unpackFailure(disk, report.Bare(err))
	}
	return nil
}

func unpackFailure(disk *os.File, err error) error {
	f := &report.Failure{Kind: report.Node, What: "unpacking the image", On: disk.Name(), Cause: err}
	if errors.Is(err, unix.EFBIG) || errors.Is(err, unix.ENOSPC) {
		f.Remedy = "make room there, or set SPOOL_DIR in the configuration"
	}
	return f
}
