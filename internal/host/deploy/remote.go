package deploy

import (
	"context"

	"snf-image/internal/host/source"
)

// arrival is how the bytes of an image come to the worker.
type arrival interface {
	// feed begins to send them. The worker holds its descriptors by now.
	feed()
	// end returns how the copy ended; err is what the worker said.
	end(ctx context.Context, err error) error
	// arrived waits until the helper may take memory.
	arrived(ctx context.Context, written *future[copied]) error
}

// here is the arrival of an image on this node.
type here struct{}

func (here) feed()                                          {}
func (here) end(_ context.Context, err error) error         { return err }
func (here) arrived(context.Context, *future[copied]) error { return nil }

// download is the arrival of an image from a URL.
type download struct {
	helping helping
	image   *source.Image
}

var (
	_ arrival = here{}
	_ arrival = download{}
)

// openRemote asks for an image by URL: last of all, since some servers answer
// once, but before the disk is touched, since some do not have it. A server may take
// its time: until its image is here, the deployment holds neither a place nor the
// memory of its helper, and only makes sure that they exist.
func (i *imaging) openRemote(ctx context.Context) error {
	if err := i.helping.postpone(); err != nil {
		return err
	}
	image, err := i.found.Open(ctx)
	if err != nil {
		return err
	}
	i.image, i.arrival = image, download{i.helping, image}
	i.record.Image.Stored = image.Stored
	return i.findProof(ctx)
}

func (d download) feed() { d.image.Stream.Feed() }

// end: a worker cannot distinguish a stream that broke off from a whole one.
func (d download) end(ctx context.Context, err error) error { return d.image.Stream.End(ctx, err) }

// arrived waits until the image is here, and then gets for the helper what a server
// must not keep from others.
func (d download) arrived(ctx context.Context, written *future[copied]) error {
	if _, err := written.wait(); err != nil {
		return err
	}
	return d.helping.resume(ctx)
}
