// Package deploy is the pipeline: image → disk → helper → finished machine. It
// is the only host package that knows the whole flow.
//
// A disk whose deployment failed, or was killed at any moment, does not boot:
// its first and last MiB are zero from before the first byte of the image until
// after the helper's success (design: commit last). A living machine (customize)
// is never blanked.
package deploy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"snf-image/internal/host/admission"
	"snf-image/internal/host/config"
	"snf-image/internal/host/fetch"
	"snf-image/internal/host/helper"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/worker"
	"snf-image/internal/redact"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Request is one deployment, or one customisation of a living machine.
type Request struct {
	Spec    *spec.Spec
	Config  *config.Config
	Release string // of this program
	// Store is where Spec.Image is looked for; nil when it is a path.
	Store *source.Store
	// Fetch opens Spec.Image when it is a URL.
	Fetch *fetch.Client
	Log   *slog.Logger
	// Sink takes the progress messages, fit for the instance's owner.
	Sink report.Sink
	// Progress, when not nil, gets the progress of the copy in bytes a few times
	// a second, from one goroutine.
	Progress func(position, total int64)
}

// run is a deployment in progress and everything it must release.
type run struct {
	Request
	ids    identities
	image  *source.Image  // nil: the disk is customised as it is
	remote *download      // nil for an image on this node
	disks  []*target.Disk // as in the spec
	ends   *ends          // nil without an image
	helper *helper.Image  // nil when no task is planned
	place  *admission.Place
	qemu   string
	shell  *shellPort // nil for none
	plan   spec.Plan
	record *record

	touched  bool // something may have been written to a disk
	debugged int  // the agent's debug messages so far
	redactor redact.Redactor
}

// Run carries out req. The report is complete up to the point that was reached,
// whether or not there was an error.
func Run(ctx context.Context, req Request) (*report.Deployment, error) {
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	err := r.check(ctx, target.Options{})
	if err == nil {
		err = r.explain(r.make(ctx))
	}
	if err != nil {
		if !r.touched {
			r.undo()
		}
		r.Sink.Send(r.lament(err))
	} else {
		r.conclude()
	}
	return r.record.end(err), err
}

// conclude ends the log of a success with what an administrator looks for: how to know
// the machine at the first login, and what was not as it should be.
func (r *run) conclude() {
	r.mark("the machine is complete")
	for _, k := range r.record.HostKeys {
		r.Log.Info("SSH host key " + k.Type + " " + k.Fingerprint)
	}
	for _, w := range r.record.Warnings {
		r.Log.Warn("once more: " + w)
	}
}

// explain gives an error that has none the words of an administrator: a signal
// ends whatever is being done.
func (r *run) explain(err error) error {
	if _, ok := errors.AsType[*report.Failure](err); err == nil || ok {
		return err
	}
	f := &report.Failure{Kind: report.Internal, What: "deploying", On: r.object(), Cause: err, Remedy: "deploy again"}
	if r.image == nil {
		f.What, f.Remedy = "customising the machine", "run it again"
	}
	return f
}

// make does the work; everything that could be refused has been.
func (r *run) make(ctx context.Context) error {
	r.touched = r.image != nil
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, d := range r.disks {
		d.Watch(ctx, cancel)
	}
	written := async(cancel, func() (*copied, error) { return r.copy(ctx) })
	booted := async(cancel, func() (*helperRun, error) {
		if err := r.arrived(ctx, written); err != nil {
			return nil, err
		}
		return r.boot(ctx)
	})
	keys := async(cancel, func() ([]spec.HostKey, error) { return r.hostKeys(ctx) })
	h, bootErr := booted.wait()
	if h != nil {
		defer h.machine.Stop(killGrace)
		r.record.started(h)
	}
	c, copyErr := written.wait()
	if c != nil {
		r.record.copied(c)
		if c.result.Wiped == target.WipedCostly && !r.disks[0].Created {
			r.warn("behind the image the disk keeps what it held before, since it makes ranges zero only by writing; WIPE=zero does that")
		}
	}
	if errors.Join(bootErr, copyErr) != nil {
		_, _ = keys.wait()
		return context.Cause(ctx)
	}
	if h != nil {
		if err := r.customize(ctx, h, keys); err != nil {
			return err
		}
	}
	return r.commit(ctx)
}

// copied is what became of the image.
type copied struct {
	result worker.Result
	layers []string // that confined the worker
	took   time.Duration
}

// copy brings the image to the disk, but for its ends. It runs beside boot, so
// it leaves the record alone.
func (r *run) copy(ctx context.Context) (*copied, error) {
	if r.image == nil {
		return nil, nil
	}
	r.mark("copying the image to the disk")
	c, start := new(copied), time.Now()
	disk, export, err := r.disks[0].Handle(ctx)
	if err != nil {
		return nil, err
	}
	messages := copyMessages{sink: r.Sink, progress: r.Progress}
	job := worker.Job{
		Format: r.Spec.Format, ImageSize: r.image.Size, DiskSize: r.disks[0].Size, Wipe: target.Wipe(r.Config.Wipe),
		Image: r.image.File, Disk: disk, Export: export, Head: r.ends.head, Tail: r.ends.tail,
		Progress: messages.add, Stream: r.remote != nil,
	}
	if id := r.ids.worker; id != nil {
		job.UID, job.GID = id.Uid, id.Gid
	}
	w, err := worker.Start(ctx, job)
	if err != nil {
		return nil, err
	}
	r.remote.feed()
	c.result, err = w.Wait()
	if err = r.remote.end(ctx, err); err != nil {
		return nil, r.disks[0].Explain(err)
	}
	c.layers, c.took = w.Layers(), time.Since(start)
	messages.end(c.result.ImageBytes)
	r.mark("the image is copied")
	return c, nil
}

// commit makes the disk bootable. Until here it was not, whatever happened.
func (r *run) commit(ctx context.Context) error {
	if r.image == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.disks[0].Explain(target.Commit(ctx, r.disks[0], r.ends.head, r.ends.tail))
}

// undo takes back the length of disk files, after a run that wrote nothing to them.
func (r *run) undo() {
	for _, d := range r.disks {
		if err := d.Undo(); err != nil {
			r.Log.Warn("taking back the size of " + d.Path + ": " + err.Error())
		}
	}
}

func (r *run) close() {
	if r.shell != nil {
		r.shell.close()
	}
	for _, d := range r.disks {
		_ = d.Close()
	}
	r.remote.close()
	if r.image != nil {
		_ = r.image.Close()
	}
	if r.ends != nil {
		r.ends.close()
	}
	if r.helper != nil {
		_ = r.helper.Close()
	}
	r.place.Leave()
}
