package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/vm"
	"snf-image/internal/host/worker"
	"snf-image/internal/spec"
)

// imaging is the flow that writes an image to a disk.
type imaging struct {
	*run
	image   *source.Image
	arrival arrival // of the image's bytes
	ends    ends
}

var _ flow = (*imaging)(nil)

func newImaging(r *run) *imaging {
	return &imaging{run: r, image: new(source.Image), arrival: here{}}
}

func (i *imaging) check(ctx context.Context, o target.Options) (err error) {
	if err := i.prepare(); err != nil {
		return err
	}
	if err := i.openImage(); err != nil {
		return err
	}
	o.Image, o.ImageSize = i.image.File, i.image.Size // neither the copy nor swap space may hit the image
	if err := i.openDisks(ctx, o); err != nil {
		return err
	}
	if i.ends, err = newEnds(); err != nil || o.DryRun {
		return err
	}
	if err := i.helping.listen(); err != nil {
		return err
	}
	if fetch.IsURL(i.Spec.Image) {
		return i.openRemote(ctx)
	}
	return i.helping.admit(ctx)
}

// make does the work; everything that could be refused has been.
func (i *imaging) make(ctx context.Context) error {
	i.touched = true
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	i.disks.watch(ctx, cancel)
	written := async(cancel, func() (copied, error) { return i.copy(ctx) })
	booted := async(cancel, func() (helperRun, error) { return i.boot(ctx, written) })
	keys := async(cancel, func() ([]spec.HostKey, error) { return i.hostKeys(ctx) })
	h, bootErr := booted.wait()
	defer h.stop()
	h.started()
	c, copyErr := written.wait()
	if copyErr == nil {
		i.recordCopy(c)
	}
	if errors.Join(bootErr, copyErr) != nil {
		_, _ = keys.wait()
		return context.Cause(ctx)
	}
	if err := h.customize(ctx, keys); err != nil {
		return err
	}
	return i.commit(ctx)
}

// boot starts the helper, as soon as the image lets it.
func (i *imaging) boot(ctx context.Context, written *future[copied]) (helperRun, error) {
	if err := i.arrival.arrived(ctx, written); err != nil {
		return unhelped{}, err
	}
	p := i.plan
	p.ImageBytes = i.image.Size
	ends := []vm.Disk{{File: i.ends.head, Serial: session.HeadSerial}, {File: i.ends.tail, Serial: session.TailSerial}}
	return i.helping.boot(ctx, p, append(i.disks.vm(p), ends...))
}

// copied is the outcome of a copy.
type copied struct {
	result worker.Result
	// layers confined the worker, and the node refused what is missing.
	layers, missing []string
	took            time.Duration
}

// copy brings the image to the disk, but for its ends. It runs beside boot, so
// it leaves the record alone.
func (i *imaging) copy(ctx context.Context) (copied, error) {
	i.mark("copying the image to the disk")
	start := time.Now()
	disk, export, err := i.disks[0].Handle(ctx)
	if err != nil {
		return copied{}, err
	}
	messages := copyMessages{sink: i.Sink, progress: i.Progress}
	job := worker.Job{
		Format: i.Spec.Format, ImageSize: i.image.Size, DiskSize: i.disks[0].Size, Wipe: target.Wipe(i.Config.Wipe),
		Image: i.image.File, Disk: disk, Export: export, Head: i.ends.head, Tail: i.ends.tail,
		Progress: messages.add, Stream: i.arrival.stream(),
	}
	if id := i.ids.Worker; id != nil {
		job.UID, job.GID = id.Uid, id.Gid
	}
	w, err := worker.Start(ctx, job)
	if err != nil {
		return copied{}, err
	}
	i.arrival.feed()
	result, err := w.Wait()
	if err = i.arrival.end(ctx, err); err != nil {
		return copied{}, i.disks[0].Explain(err)
	}
	messages.end(result.ImageBytes)
	i.mark("the image is copied")
	return copied{result, w.Layers(), w.Missing(), time.Since(start)}, nil
}

func (i *imaging) recordCopy(c copied) {
	i.record.copied(c)
	if len(c.missing) > 0 {
		i.warn(refused("image worker", c.missing))
	}
	if c.result.Wiped == target.WipedCostly && !i.disks[0].Created {
		i.warn("behind the image the disk keeps what it held before, since it makes ranges zero only by writing; WIPE=zero does that")
	}
}

// commit makes the disk bootable. Until here it was not, whatever happened.
func (i *imaging) commit(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return i.disks[0].Explain(target.Commit(ctx, i.disks[0], i.ends.head, i.ends.tail))
}

func (i *imaging) describe(out io.Writer) {
	fmt.Fprintf(out, "image     %s, %d bytes, %s\n", i.image.Path, i.image.Size, i.Spec.Format)
	describeDisks(out, i.disks, i.fate())
	i.helping.describe(out)
}

// fate is what will become of what the disk holds now.
func (i *imaging) fate() string {
	overwritten := "everything on it overwritten, WIPE=" + string(i.Config.Wipe) + " behind the image"
	switch d := i.disks[0]; {
	case d.Created:
		return "created"
	case d.Extended:
		return "extended, " + overwritten
	}
	return overwritten
}

func (i *imaging) close() {
	i.disks.close()
	i.arrival.close()
	_ = i.image.Close()
	i.ends.close()
	i.helping.close()
}
