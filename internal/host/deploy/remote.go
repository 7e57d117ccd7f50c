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

// arrival is how the bytes of an image come to the worker.
type arrival interface {
	// stream reports whether they come once, in order.
	stream() bool
	// feed begins to send them. The worker holds its descriptors by now.
	feed()
	// end returns how the copy ended; err is what the worker said.
	end(ctx context.Context, err error) error
	// arrived waits until the helper may take memory.
	arrived(ctx context.Context, written *future[copied]) error
	close()
}

// here is the arrival of an image on this node.
type here struct{}

func (here) stream() bool                                   { return false }
func (here) feed()                                          {}
func (here) end(_ context.Context, err error) error         { return err }
func (here) arrived(context.Context, *future[copied]) error { return nil }
func (here) close()                                         {}

// download is the arrival of an image from a URL, through a pipe.
type download struct {
	helping helping
	from    *fetch.Stream
	out     *os.File   // the worker's end
	in      *os.File   // ours
	fed     chan error // what ended the feeding; nil until it began
}

var (
	_ arrival = here{}
	_ arrival = (*download)(nil)
)

// openRemote asks for an image by URL: last of all, since some servers answer
// once, but before the disk is touched, since some do not have it. A server may take
// its time: until its image is here, the deployment holds neither a place nor the
// memory of its helper, and only makes sure that they exist.
func (i *imaging) openRemote(ctx context.Context) error {
	if err := i.helping.postpone(); err != nil {
		return err
	}
	stream, err := i.Fetch.Open(ctx, i.Spec.Image)
	if err != nil {
		return fetchFailure(i.Spec.Image, err)
	}
	d := &download{helping: i.helping, from: stream}
	i.arrival = d
	if stream.Length >= 0 {
		if err := i.measured(stream.Length); err != nil {
			return err
		}
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("making a pipe to the image worker: %w", err)
	}
	// Under its name the worker's failures are about it.
	d.out, d.in = os.NewFile(uintptr(ends[0]), i.image.Path), os.NewFile(uintptr(ends[1]), i.image.Path)
	_, _ = unix.FcntlInt(d.in.Fd(), unix.F_SETPIPE_SZ, 1<<20) // only faster
	i.image.File = d.out
	return nil
}

// measured takes the length the server declares.
func (i *imaging) measured(size int64) error {
	if err := source.CheckSize(i.image.Path, size); err != nil {
		return err
	}
	if d := i.disks[0]; size > d.Size {
		return &report.Failure{
			Kind: report.Disk, What: "opening the disk", On: d.Path,
			Cause: fmt.Errorf("it has %d bytes, the image needs %d", d.Size, size), Remedy: "use a larger disk",
		}
	}
	i.image.Size, i.record.Image.Size = size, size
	return nil
}

func (d *download) stream() bool { return true }

// arrived waits until the image is here, and then gets for the helper what a server
// must not keep from others.
func (d *download) arrived(ctx context.Context, written *future[copied]) error {
	if _, err := written.wait(); err != nil {
		return err
	}
	return d.helping.resume(ctx)
}

// feed sends the image as it comes. Our copy of the worker's end must be closed, or the
// death of the worker would go unnoticed.
func (d *download) feed() {
	_ = d.out.Close()
	d.fed = make(chan error, 1)
	go func() {
		_, err := io.Copy(d.in, d.from)
		d.fed <- err // before the worker can see the end
		_ = d.in.Close()
	}()
}

// end: a worker cannot distinguish a stream that broke off from a whole one.
func (d *download) end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
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
	return fetchFailure(d.out.Name(), fed)
}

// close ends the transfer, whatever still goes on.
func (d *download) close() {
	_ = d.from.Close()
	if d.fed == nil {
		_ = d.in.Close() // a nil *os.File only returns an error
	}
}

// fetchFailure is the failure to get the image from url.
func fetchFailure(url string, err error) error {
	remedy := cmp.Or(fetch.Remedy(err), "check img_id, and whether this node reaches the server")
	return &report.Failure{Kind: report.Image, What: "fetching the image", On: fetch.Mask(url), Cause: err, Remedy: remedy}
}
