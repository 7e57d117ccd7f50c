package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/source"
	"snf-image/internal/report"
)

// download is an image on its way from a URL to the worker, through a pipe. The
// nil *download is none.
type download struct {
	stream *fetch.Stream
	from   *os.File // the worker's end
	to     *os.File
	fed    chan error // what ended the feeding; nil until it began
}

// expectRemote prepares for an image by URL, which is not opened yet.
func (r *run) expectRemote() error {
	if err := r.Fetch.Check(r.Spec.Image); err != nil {
		return fetchFailure(r.Spec.Image, err)
	}
	r.image = &source.Image{Path: fetch.Mask(r.Spec.Image)}
	r.record.openedImage(r.Spec, r.image)
	return nil
}

// openRemote asks for an image by URL: last of all, since some servers answer
// once, but before the disk is touched, since some do not have it. A server may take
// its time: until its image is here, the deployment holds neither a place nor the
// memory of its helper, and only makes sure that they exist.
func (r *run) openRemote(ctx context.Context) error {
	if r.helper != nil {
		_ = r.helper.Unload()
		if err := thisNode().Fits(r.limits()); err != nil {
			return err
		}
	}
	stream, err := r.Fetch.Open(ctx, r.Spec.Image)
	if err != nil {
		return fetchFailure(r.Spec.Image, err)
	}
	r.remote = &download{stream: stream}
	if stream.Length >= 0 {
		if err := r.measured(stream.Length); err != nil {
			return err
		}
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("making a pipe to the image worker: %w", err)
	}
	// Under its name the worker's failures are about it.
	r.remote.from, r.remote.to = os.NewFile(uintptr(ends[0]), r.image.Path), os.NewFile(uintptr(ends[1]), r.image.Path)
	_, _ = unix.FcntlInt(r.remote.to.Fd(), unix.F_SETPIPE_SZ, 1<<20) // only faster
	r.image.File = r.remote.from
	return nil
}

// arrived waits until the image is here, and then gets for the helper what a server
// must not keep from others. An image on this node is here.
func (r *run) arrived(ctx context.Context, written *future[*copied]) error {
	if r.remote == nil || r.helper == nil {
		return nil
	}
	if _, err := written.wait(); err != nil {
		return err
	}
	if err := r.admit(ctx); err != nil {
		return err
	}
	return r.loadHelper()
}

// measured takes the length the server declares.
func (r *run) measured(size int64) error {
	if err := source.CheckSize(r.image.Path, size); err != nil {
		return err
	}
	if d := r.disks[0]; size > d.Size {
		return &report.Failure{
			Kind: report.Disk, What: "opening the disk", On: d.Path,
			Cause: fmt.Errorf("it has %d bytes, the image needs %d", d.Size, size), Remedy: "use a larger disk",
		}
	}
	r.image.Size, r.record.Image.Size = size, size
	r.plan.ImageBytes = size
	return nil
}

// feed begins to send what comes. The worker holds its own end by now; ours must
// be closed, or nobody would notice that it died.
func (d *download) feed() {
	if d == nil {
		return
	}
	_ = d.from.Close()
	d.fed = make(chan error, 1)
	go func() {
		_, err := io.Copy(d.to, d.stream)
		d.fed <- err // before the worker can see the end
		_ = d.to.Close()
	}()
}

// end says how the copy ended: err is the worker's word. A worker can not tell a
// stream that broke off from a whole one.
func (d *download) end(ctx context.Context, err error) error {
	if d == nil || ctx.Err() != nil {
		return err
	}
	var fed error
	if err == nil {
		fed = <-d.fed
	} else {
		select {
		case fed = <-d.fed:
		default: // the worker gave up first
		}
	}
	if fed == nil || errors.Is(fed, unix.EPIPE) {
		return err
	}
	return fetchFailure(d.from.Name(), fed)
}

// close ends the transfer, whatever still goes on.
func (d *download) close() {
	if d == nil {
		return
	}
	_ = d.stream.Close()
	if d.fed == nil && d.to != nil {
		_ = d.to.Close()
	}
}

// fetchFailure says that the image could not be had from url.
func fetchFailure(url string, err error) error {
	remedy := cmp.Or(fetch.Remedy(err), "check img_id, and whether this node reaches the server")
	return &report.Failure{Kind: report.Image, What: "fetching the image", On: fetch.Mask(url), Cause: err, Remedy: remedy}
}
