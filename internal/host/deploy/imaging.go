package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"
	"snf-image/internal/host/vm"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// imaging is the flow that writes an image to a disk.
type imaging struct {
	*run
	found    *source.Found
	image    *source.Image
	geometry worker.Geometry // of an image that is looked at before
	arrival  arrival         // of the image's bytes
	proof    *trust.Check    // nil before it is looked for
	ends     ends
}

var _ flow = (*imaging)(nil)

func newImaging(r *run) *imaging {
	return &imaging{run: r, image: new(source.Image), arrival: here{}}
}

func (i *imaging) check(ctx context.Context, o target.Options) (err error) {
	if err := i.prepare(); err != nil {
		return err
	}
	if err := i.openImage(ctx); err != nil {
		return err
	}
	o.Image, o.ImageSize = i.image.File, i.geometry.DiskBytes // neither the copy nor swap space may hit the image
	if err := i.openDisks(ctx, o); err != nil {
		return err
	}
	if err := i.openHelper(); err != nil {
		return err
	}
	i.foreseeTable(i.geometry)
	if i.ends, err = newEnds(); err != nil || o.DryRun {
		return err
	}
	if err := i.readAnswers(ctx); err != nil {
		return err
	}
	if err := i.helping.listen(); err != nil {
		return err
	}
	if i.found.Once {
		return i.openRemote(ctx)
	}
	return i.helping.admit(ctx)
}

// make does the work; everything that could be refused has been.
func (i *imaging) make(ctx context.Context) error {
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
	i.recordTransfer()
	if copyErr == nil {
		i.recordCopy(c)
	}
	if errors.Join(bootErr, copyErr) != nil {
		_, _ = keys.wait()
		return context.Cause(ctx)
	}
	if err := i.verdict(); err != nil {
		return err
	}
	if err := h.customize(ctx, c.result.ImageBytes, keys); err != nil {
		return err
	}
	return i.commit(ctx)
}

// boot starts the helper, as soon as the image lets it.
func (i *imaging) boot(ctx context.Context, written *future[copied]) (helperRun, error) {
	if err := i.arrival.arrived(ctx, written); err != nil {
		return unhelped{}, err
	}
	ends := []vm.Disk{{File: i.ends.head, Serial: session.HeadSerial}, {File: i.ends.tail, Serial: session.TailSerial}}
	return i.helping.boot(ctx, i.plan, append(i.disks.vm(i.plan), ends...))
}

// copied is the outcome of a copy.
type copied struct {
	geometry worker.Geometry
	result   worker.Result
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
	spool, err := newSpool(i.Config.SpoolDir, i.Spec.Format, i.image.Stream != nil || len(i.geometry.Layers) > 0)
	if err != nil {
		return copied{}, err
	}
	defer spool.Close() //nolint:errcheck // it is nil, or has no name
	c := copied{}
	messages := newCopyMessages(i.Sink, i.Progress, "unpacking the image")
	if i.image.Stream != nil {
		messages.unpacking = "fetching the image"
	}
	job := worker.Job{
		Format: i.Spec.Format, Stored: i.image.Stored, Stream: i.image.Stream != nil, DiskSize: i.disks[0].Size, Wipe: i.Config.Wipe,
		From: i.image.File, To: disk, Server: export, Head: i.ends.head, Tail: i.ends.tail, Spool: spool,
		Progress: messages.add,
		Geometry: func(g worker.Geometry) error { c.geometry = g; return i.judgeGeometry(g) },
	}
	if id := i.ids.Worker; id != nil {
		job.UID, job.GID = id.Uid, id.Gid
	}
	w, err := worker.Start(ctx, job)
	if err != nil {
		return copied{}, err
	}
	proof, readErr := i.readForProof(ctx, w.Cold())
	i.arrival.feed()
	c.result, err = w.Wait()
	err = proof.end(i, cmp.Or(err, readErr))
	if err = i.arrival.end(ctx, err); err != nil {
		return copied{}, i.disks[0].Explain(err)
	}
	messages.end(c.result.ImageBytes)
	i.mark("the image is copied")
	c.layers, c.missing, c.took = w.Layers(), w.Missing(), time.Since(start)
	return c, nil
}

func (i *imaging) recordCopy(c copied) {
	i.known(c.geometry)
	i.record.copied(c)
	if s := i.image.Stream; s != nil {
		rate := report.Bytes(int64(float64(s.Received()) / c.took.Seconds()))
		i.Log.Info(fmt.Sprintf("%s: fetched %s, %s a second, resumed %d times", i.image.Name, report.Bytes(s.Received()), rate, s.Resumed()))
	}
	if len(c.missing) > 0 {
		i.warn(refused("image worker", c.missing))
	}
	if c.result.Wiped == target.WipedCostly && !i.disks[0].Created {
		i.warn("behind the image the disk keeps what it held before, since it makes ranges zero only by writing; WIPE=zero does that")
	}
}

// recordTransfer says how often the transfer of an image was resumed, also of one that
// failed in the end.
func (i *imaging) recordTransfer() {
	if i.image.Stream != nil {
		i.record.Image.Resumed = i.image.Stream.Resumed()
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
	fmt.Fprintf(out, "image     %s, %s\n", i.found.Name, describeImage(i.record.Image))
	i.describeProof(out)
	describeDisks(out, i.disks, i.fate())
	i.helping.describe(out)
}

// describeImage is what an image is, as far as that is known.
func describeImage(r *report.ImageRead) string {
	text := report.Stored(r.Format, r.Layers)
	switch {
	case r.Size == 0 && r.Stored == 0:
		return "to be fetched, " + text
	case r.Size == 0:
		return fmt.Sprintf("%d bytes stored, %s", r.Stored, text)
	case r.Size == r.Stored:
		return fmt.Sprintf("%d bytes, %s", r.Size, text)
	}
	return fmt.Sprintf("a disk of %d bytes, stored in %d, %s", r.Size, r.Stored, text)
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
	_ = i.image.Close()
	if i.proof != nil {
		i.proof.Close()
	}
	i.ends.close()
	i.helping.close()
}
