package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/host/diskuri"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// errSoftTimeout is the cause of a customisation that took too long.
var errSoftTimeout = errors.New("the helper is not done")

// customize hands the disk to the helper and sees the plan through to an
// earned success.
func (r *run) customize(parent context.Context, h *helperRun, keys *future[[]spec.HostKey]) error {
	ctx, cancel := r.softTimeout(parent)
	defer cancel()
	defer r.record.timing("customise", time.Now())
	r.mark("the helper starts to customise the machine")
	result, err := r.converse(ctx, h, keys)
	if err == nil {
		err = r.judge(ctx, h, result)
	}
	if err != nil {
		err = r.helperError(err, h)
		r.listChanged()
		r.mark("the helper has ended")
		r.mark("the machine is not customised")
		return err
	}
	r.mark("the helper has ended")
	r.mark("the machine is customised")
	return nil
}

// softTimeout bounds what the helper may take once it has the disk.
func (r *run) softTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := r.softLimit()
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, errSoftTimeout)
}

// softLimit is how long the helper may take, 0 for any time. On the disk of a living
// machine the helper itself keeps to HELPER_SOFT_TIMEOUT, between steps: one that
// repairs or grows a file system, and the look at the outcome, are not interrupted
// before they have had the time they may need.
func (r *run) softLimit() time.Duration {
	limit := r.Config.HelperSoftTimeout
	if limit > 0 && r.living() {
		limit += 2 * spec.StepLimit(r.disks[0].Size)
	}
	return limit
}

// living reports whether the disk is one of a living machine, that is to stay sound.
func (r *run) living() bool { return r.plan.Mode == spec.ModeCustomize }

// converse speaks the protocol from disk-ready to the result.
func (r *run) converse(ctx context.Context, h *helperRun, keys *future[[]spec.HostKey]) (*report.Result, error) {
	r.touched = true
	if err := h.talk.send(ctx, channel.DiskReady, nil); err != nil {
		return nil, err
	}
	in, result, err := h.talk.inspected(ctx)
	if err != nil {
		return nil, err
	}
	if result != nil {
		return result, premature(result)
	}
	r.record.System = boundInspection(in)
	r.record.used("inspection", h.machine.CPU())
	if r.plan.WantsCredentials {
		made, err := keys.wait()
		if err != nil {
			return nil, err
		}
		creds, err := r.credentials(r.record.System, made)
		if err != nil {
			return nil, err
		}
		if err := h.talk.send(ctx, channel.Credentials, creds); err != nil {
			return nil, err
		}
	}
	bounded := report.NewBounded(r.Sink, r.plan.Tasks, time.Now)
	return h.talk.result(ctx, func(e report.Event) {
		if e.Kind == report.Debug {
			r.debug(e)
		}
		r.record.note(e, r.plan.Tasks)
		bounded.Event(e)
	})
}

// premature refuses a result without an error in place of an inspection.
func premature(result *report.Result) error {
	if result.Error == "" {
		return &protocolError{errors.New("the helper sent a result before it had looked at the disk")}
	}
	return nil
}

// listChanged says in the log what a failed customisation of a living machine
// had changed before.
func (r *run) listChanged() {
	if !r.living() {
		return
	}
	if changes := r.record.Disk.Changes; len(changes) > 0 {
		r.Log.Warn("the disk had been changed before the failure: " + strings.Join(changes, ", "))
	}
	if files := r.record.Changed; len(files) > 0 {
		r.Log.Warn(fmt.Sprintf("%d files had been changed before the failure: %s",
			len(files), strings.Join(files[:min(len(files), maxListed)], " ")))
	}
}

// maxListed bounds the files a log line names; the report has all of them.
const maxListed = 50

// judge decides whether result and the end of the helper are success.
func (r *run) judge(ctx context.Context, h *helperRun, result *report.Result) error {
	r.record.finished(result)
	r.record.used("tasks", h.machine.CPU())
	if result.Error != "" {
		r.touched = !r.living() || len(r.record.Disk.Changes)+len(r.record.Changed) > 0
		return r.taskFailure(result)
	}
	if err := earned(result, &r.plan); err != nil {
		return err
	}
	ctx, cancel := untilPowerOff(ctx)
	defer cancel()
	if err := h.talk.end(ctx); err != nil {
		return err
	}
	exit, err := h.machine.Wait(ctx)
	if err != nil {
		return &protocolError{err}
	}
	r.record.used("power-off", exit.CPU)
	if !exit.Clean {
		return &protocolError{fmt.Errorf("the helper did not power off cleanly: %s", exit.Reason)}
	}
	if exit.Disk != nil && exit.Disk.Write {
		return errLost
	}
	return nil
}

// errLost is a success of the helper that is none: not all it wrote is on the disk.
var errLost = errors.New("a write of the helper failed, and the helper does not say so")

// untilPowerOff bounds what follows the result. A helper that stays breaks the
// protocol.
func untilPowerOff(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, powerOff, &protocolError{errors.New("the helper did not power off")})
}

// helperError ends the helper and says what went wrong in the administrator's
// words.
func (r *run) helperError(err error, h *helperRun) error {
	grace := killGrace
	if errors.Is(err, errSoftTimeout) {
		grace = r.Config.HelperHardTimeout
	}
	_, broken := errors.AsType[*protocolError](err)
	silent := errors.Is(err, errSilent)
	if silent || errors.Is(err, io.ErrUnexpectedEOF) {
		settle(h) // so that its own reason can be told
	}
	exit, on := h.machine.Stop(grace), r.object()
	if broken || silent {
		err = panicked(err, exit)
	}
	if e := exit.Disk; e != nil && e.Disk < len(r.disks) && (e.Write || e.Disk == 0) {
		if exit.Panic != "" {
			logConsole(exit, h.machine, r.Log)
		}
		return r.diskFailure(err, *e)
	}
	if errors.Is(err, errSoftTimeout) {
		return &report.Failure{
			Kind: report.Timeout, What: "customising the machine", On: on,
			Cause:  fmt.Errorf("%w after %s", err, r.softLimit()),
			Remedy: raiseTimeout,
		}
	}
	if broken || silent {
		return helperFailure("running the helper", on, err, exit, h.machine, r.Log)
	}
	return err
}

// diskFailure is the failure of a run in which a disk did not do what the helper asked
// of it: whatever else went wrong came of that.
func (r *run) diskFailure(err error, e vm.DiskError) error {
	what := "customising the machine"
	if f, ok := errors.AsType[*report.Failure](err); ok {
		what, err = f.What, f.Cause
	}
	return &report.Failure{
		Kind: report.Disk, What: what, On: r.disks[e.Disk].Path, Cause: fmt.Errorf("%s (%w)", e.Reason, err),
		Remedy: "look at the disk, at what it lies on, and at the room there",
	}
}

// object is what the helper works on, for people; the rescue shell may have no
// disk.
func (r *run) object() string {
	if len(r.Spec.Disks) == 0 {
		return ""
	}
	return diskuri.Shown(r.Spec.Disks[0])
}

// settle gives a helper that closed the channel a moment to end by itself.
func settle(h *helperRun) {
	select {
	case <-h.machine.Done():
	case <-time.After(time.Second):
	}
}
