package deploy

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"snf-image/internal/host/session"
	"snf-image/internal/host/vm"
	"snf-image/internal/spec"
)

// helping is the helper's part in a run.
type helping interface {
	// listen opens the socket of HELPER_DEBUG.
	listen() error
	// admit, postpone and resume are those of the session.
	admit(context.Context) error
	postpone() error
	resume(context.Context) error
	// boot starts the helper. It may run beside a copy.
	boot(context.Context, spec.Plan, []vm.Disk) (helperRun, error)
	describe(io.Writer)
	close()
}

// helperRun is a helper that runs.
type helperRun interface {
	// customize hands the disk to the helper and sees the plan through to an earned
	// success. imageBytes is the size of the disk in the image, 0 without one.
	customize(ctx context.Context, imageBytes int64, keys *future[[]spec.HostKey]) error
	// started records the start.
	started()
	stop()
}

// unhelped is a run without a task. Its helper does nothing.
type unhelped struct{}

var (
	_ helping   = unhelped{}
	_ helperRun = unhelped{}
)

func (unhelped) listen() error                { return nil }
func (unhelped) admit(context.Context) error  { return nil }
func (unhelped) postpone() error              { return nil }
func (unhelped) resume(context.Context) error { return nil }
func (unhelped) boot(context.Context, spec.Plan, []vm.Disk) (helperRun, error) {
	return unhelped{}, nil
}
func (unhelped) customize(context.Context, int64, *future[[]spec.HostKey]) error { return nil }
func (unhelped) started()                                                        {}
func (unhelped) stop()                                                           {}
func (unhelped) close()                                                          {}

func (unhelped) describe(out io.Writer) {
	fmt.Fprintln(out, "helper    not needed, no task is planned")
}

// helped is a run with tasks.
type helped struct {
	*run
	session *session.Session
	shell   session.Shell
}

var _ helping = (*helped)(nil)

func (h *helped) listen() (err error) {
	if !h.plan.DebugShell {
		return nil
	}
	if h.shell, err = session.ListeningShell(); err != nil {
		return err
	}
	h.warn("HELPER_DEBUG: when a task fails, a shell in the helper waits at " + h.shell.Address())
	return nil
}

func (h *helped) admit(ctx context.Context) error { return h.session.Admit(ctx) }
func (h *helped) postpone() error                 { return h.session.Postpone() }

func (h *helped) resume(ctx context.Context) error {
	if err := h.session.Resume(ctx); err != nil {
		return err
	}
	h.record.openedHelper(h.session.Manifest())
	return nil
}

func (h *helped) boot(ctx context.Context, p spec.Plan, disks []vm.Disk) (helperRun, error) {
	w := session.Work{Plan: p, Disks: disks, Paths: h.disks.paths(), On: h.object(), Limit: h.softLimit(), Shell: h.shell}
	started, err := h.session.Start(ctx, w)
	if err != nil {
		return unhelped{}, err
	}
	return &customizer{h.run, started}, nil
}

// softLimit is how long the helper may take, 0 for any time. On the disk of a living
// machine the helper itself keeps to HELPER_SOFT_TIMEOUT, between steps: one that
// repairs or grows a file system, and the look at the outcome, are not interrupted
// before they have had the time they may need.
func (h *helped) softLimit() time.Duration {
	limit := h.Config.HelperSoftTimeout
	if limit > 0 && h.living() {
		limit += 2 * spec.StepLimit(h.disks[0].Size)
	}
	return limit
}

func (h *helped) describe(out io.Writer) {
	choice := h.session.Choice()
	fmt.Fprintf(out, "helper    kernel %s, %d MiB, %s first (%s)\n",
		h.session.Manifest().Kernel, h.Config.HelperMemory, choice.Accelerators[0], choice.Why)
	if h.plan.CloudInit {
		fmt.Fprintln(out, "cloud-init  the image's own configures the machine at its first boot")
	}
	for _, t := range h.plan.Tasks {
		property, excluded := h.plan.Exclude[t]
		switch {
		case excluded:
			fmt.Fprintf(out, "task      %s, left out by %s\n", t, property)
		case slices.Contains(h.plan.Idle, t):
			fmt.Fprintf(out, "task      %s, if a program of the image stands for it\n", t)
		default:
			fmt.Fprintf(out, "task      %s\n", t)
		}
	}
}

func (h *helped) close() {
	h.shell.Close()
	h.session.Close()
}
