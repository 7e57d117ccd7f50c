// Package deploy holds the flows of the program: image → disk → helper → finished
// machine, and the shorter ones beside it. Each is a few steps on a helper session
// (package session) and on open disks (package target).
//
// A disk whose deployment failed, or was killed at any moment, does not boot:
// its first and last MiB are zero from before the first byte of the image until
// after the helper's success (design: commit last). An installed machine (customize)
// is never blanked.
//
// The package has more than 1,200 lines of code: the flows share the run, its report
// and its disks, and apart from each other they would be a page each.
//
// It is large because every flow is here: deploy, customize, inspect, shell, dumps and
// the dry run.
package deploy

import (
	"context"
	"errors"
	"io"

	"snf-image/internal/host/fetch"
	"snf-image/internal/host/keyring"
	"snf-image/internal/host/session"
	"snf-image/internal/host/source"
	"snf-image/internal/host/target"
	"snf-image/internal/host/trust"
	"snf-image/internal/host/worker"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Request is one deployment, or one customization of an installed machine.
type Request struct {
	session.Settings
	Spec *spec.Spec
	// Store is where Spec.Image is looked for; nil when it is a path.
	Store *source.Store
	// Claim is what has to prove the image; Keys reads the keyring, when it is needed.
	Claim trust.Claim
	Keys  func() (keyring.Keys, error)
	// Fetch opens Spec.Image when it is a URL.
	Fetch *fetch.Client
	// Warnings are what the parameters were warned of, which is in the log already.
	Warnings []string
	// Sink takes the progress messages, fit for the instance's owner.
	Sink report.Sink
	// Progress, when not nil, gets the progress of the copy in bytes a few times
	// a second, from one goroutine.
	Progress func(worker.Progress)
}

// flow is what is done for a Request: an imaging or a customization.
type flow interface {
	// check opens everything and refuses what can be refused. It writes nothing but
	// the length of a new disk file, which undo takes back.
	check(context.Context, target.Options) error
	// make does the work.
	make(context.Context) error
	// describe prints what make would do.
	describe(io.Writer)
	close()
}

// begin returns the flow for req and what all flows have in common.
func begin(req Request) (flow, *run) {
	r := &run{Request: req, plan: session.NewPlan(req.Spec, req.Config), record: newRecord(req), helping: unhelped{}}
	if r.living() {
		return customization{r}, r
	}
	return newImaging(r), r
}

// Run carries out req. The report is complete up to the point that was reached,
// whether or not there was an error.
func Run(ctx context.Context, req Request) (*report.Deployment, error) {
	f, r := begin(req)
	defer f.close()
	err := f.check(ctx, target.Options{})
	if err == nil {
		err = r.explain(f.make(ctx))
	}
	if err != nil {
		if !r.touched {
			r.undo()
		}
		r.Sink.Send(r.ownerMessage(err))
	} else {
		r.conclude()
	}
	return r.record.end(err), err
}

// DryRun checks everything Run would check and prints what it would do. It
// creates, extends and writes nothing.
func DryRun(ctx context.Context, req Request, out io.Writer) error {
	f, _ := begin(req)
	defer f.close()
	if err := f.check(ctx, target.Options{DryRun: true}); err != nil {
		return err
	}
	f.describe(out)
	return nil
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

// explain turns an unclassified error into a Failure: a signal ends whatever is being
// done.
func (r *run) explain(err error) error {
	if _, ok := errors.AsType[*report.Failure](err); err == nil || ok {
		return err
	}
	f := &report.Failure{Kind: report.Internal, What: "deploying", On: r.object(), Cause: err, Remedy: "deploy again"}
	if r.living() {
		f.What, f.Remedy = "customizing the machine", "run it again"
	}
	return f
}
