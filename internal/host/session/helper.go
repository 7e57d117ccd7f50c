package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/host/credentials"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Work is what a helper is started for.
type Work struct {
	Plan spec.Plan
	// Disks are those of the plan in its order, and then its ends.
	Disks []vm.Disk
	// Paths name the first of the disks in messages. A disk without a path is never
	// named in a failure.
	Paths []string
	// On is the object of failures, for people.
	On string
	// Limit is how long the helper may take once it has the disks; 0 means no limit.
	Limit time.Duration
	Shell Shell
}

// Helper is a helper that runs and has its plan.
type Helper struct {
	Accelerator vm.Accelerator
	Choice      vm.Choice // that led to Accelerator

	running
	session *Session
	work    Work
}

// Start boots the helper and gives it its plan, so that it is ready when its disks
// are. The caller must Stop it.
func (s *Session) Start(ctx context.Context, w Work) (*Helper, error) {
	b := &boot{
		image: s.image, qemu: s.qemu, memoryMiB: s.Config.HelperMemory, user: s.User,
		wanted: s.Config.Accelerator, disks: w.Disks, shell: w.Shell, nonce: w.Plan.Nonce, verdicts: s.verdicts(), redact: s.Redact, log: s.Log,
	}
	r, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	if missing := r.machine.Missing(); len(missing) > 0 {
		s.Warn("this node refuses the helper a layer of confinement: " + strings.Join(missing, ", "))
	}
	h := &Helper{Accelerator: r.accelerator, Choice: r.choice, running: *r, session: s, work: w}
	if err := h.talk.send(ctx, channel.Plan, &w.Plan); err != nil {
		return nil, h.Explain(err)
	}
	return h, nil
}

// Layers names what confines the helper, for the report.
func (h *Helper) Layers() []string { return h.machine.Layers() }

// Missing names the layers that this node refused.
func (h *Helper) Missing() []string { return h.machine.Missing() }

// CPU returns what the helper has used so far.
func (h *Helper) CPU() time.Duration { return h.machine.CPU() }

// Stop ends the helper, if it has not ended.
func (h *Helper) Stop() { h.machine.Stop(killGrace) }

// errSoftTimeout is the cause of an end after Work.Limit.
var errSoftTimeout = errors.New("the helper is not done")

// Bound returns a context that ends after the helper's time is up.
func (h *Helper) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if h.work.Limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, h.work.Limit, errSoftTimeout)
}

// Listener takes what the helper says before its result.
type Listener interface {
	// Inspected takes what the helper found, bounded, and returns the credentials for
	// it. They are sent if the plan wants them.
	Inspected(*report.Inspection) (*spec.Credentials, error)
	// Event takes one event as it came: it is not bounded.
	Event(report.Event)
}

// Converse hands the disks to the helper and returns its result, which may be a
// failure of its own. imageBytes is the size of the disk in the image that was written, 0
// without one. The error is for [Helper.Explain].
func (h *Helper) Converse(ctx context.Context, imageBytes int64, l Listener) (*report.Result, error) {
	if err := h.talk.send(ctx, channel.DiskReady, channel.DiskReadyBody{ImageBytes: imageBytes}); err != nil {
		return nil, err
	}
	in, result, err := h.talk.inspected(ctx, l.Event)
	if err != nil {
		return nil, err
	}
	if result != nil {
		return result, h.premature(result)
	}
	creds, err := l.Inspected(boundInspection(in))
	if err != nil {
		return nil, err
	}
	if h.work.Plan.WantsCredentials {
		if err := h.talk.send(ctx, channel.Credentials, creds); err != nil {
			return nil, err
		}
	}
	return h.talk.result(ctx, l.Event)
}

// premature refuses a success in place of an inspection. A shell inspects nothing.
func (h *Helper) premature(r *report.Result) error {
	if r.Error == "" && h.work.Plan.Mode != spec.ModeShell {
		return &protocolError{errors.New("the helper sent a result before it had looked at the disk")}
	}
	return nil
}

// boundInspection is what the agent found, fit for logs and decisions.
func boundInspection(in *report.Inspection) *report.Inspection {
	out := report.BoundInspection(*in)
	known := credentials.HostKeyTypes()
	out.HostKeyTypes = slices.DeleteFunc(known, func(t string) bool { return !slices.Contains(in.HostKeyTypes, t) })
	return &out
}

// errLost is the failure of a helper that claims success although not all it wrote is
// on the disk.
var errLost = errors.New("a write of the helper failed, and the helper does not say so")

// Finish makes sure that a result without an error is success: it accounts for the
// plan, and the helper powers off cleanly. It returns the CPU time of the helper, 0
// unless it has ended. The error is for [Helper.Explain].
func (h *Helper) Finish(ctx context.Context, result *report.Result) (time.Duration, error) {
	if err := earned(result, &h.work.Plan); err != nil {
		return 0, err
	}
	ctx, cancel := untilPowerOff(ctx)
	defer cancel()
	if err := h.talk.end(ctx); err != nil {
		return 0, err
	}
	exit, err := h.machine.Wait(ctx)
	switch {
	case err != nil:
		return 0, &protocolError{err}
	case !exit.Clean:
		return exit.CPU, &protocolError{fmt.Errorf("the helper did not power off cleanly: %s", exit.Reason)}
	case exit.Disk != nil && exit.Disk.Write:
		return exit.CPU, errLost
	}
	return exit.CPU, nil
}

// Own refuses the result of another run.
func (h *Helper) Own(result *report.Result) error {
	if result.Nonce != h.work.Plan.Nonce {
		return errNonce
	}
	return nil
}

// untilPowerOff bounds what follows the result. A helper that stays breaks the
// protocol.
func untilPowerOff(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, powerOff, &protocolError{errors.New("the helper did not power off")})
}
