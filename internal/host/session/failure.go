package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// RaiseTimeout is the remedy of a customization that took too long.
const RaiseTimeout = "raise HELPER_SOFT_TIMEOUT, or see what the last task was waiting for"

// Explain ends the helper and returns the failure behind err, for the administrator.
func (h *Helper) Explain(err error) error {
	grace := killGrace
	if errors.Is(err, errSoftTimeout) {
		grace = h.session.Config.HelperHardTimeout
	}
	_, broken := errors.AsType[*protocolError](err)
	silent := errors.Is(err, errSilent)
	if silent || errors.Is(err, io.ErrUnexpectedEOF) {
		h.awaitExit()
	}
	exit := h.machine.Stop(grace)
	if broken || silent {
		err = panicked(err, exit)
	}
	if e := exit.Disk; e != nil && e.Disk < len(h.work.Paths) && (e.Write || e.Disk == 0) {
		if exit.Panic != "" {
			logConsole(exit, h.machine, h.session.Log)
		}
		return h.diskFailure(err, *e)
	}
	if errors.Is(err, errSoftTimeout) {
		return &report.Failure{
			Kind: report.Timeout, What: "customizing the machine", On: h.work.On,
			Cause:  fmt.Errorf("%w after %s", err, h.work.Limit),
			Remedy: RaiseTimeout,
		}
	}
	if broken || silent {
		return helperFailure("running the helper", h.work.On, err, exit, h.machine, h.session.Log)
	}
	return err
}

// awaitExit gives a helper that closed the channel a moment to end by itself, so that
// its own reason can be reported.
func (h *Helper) awaitExit() {
	select {
	case <-h.machine.Done():
	case <-time.After(time.Second):
	}
}

// diskFailure is the failure of a run in which a disk did not do what the helper asked
// of it: whatever else went wrong came of that.
func (h *Helper) diskFailure(err error, e vm.DiskError) error {
	what := "customizing the machine"
	if f, ok := errors.AsType[*report.Failure](err); ok {
		what, err = f.What, f.Cause
	}
	return &report.Failure{
		Kind: report.Disk, What: what, On: h.work.Paths[e.Disk], Cause: fmt.Errorf("%s (%w)", e.Reason, err),
		Remedy: "look at the disk, at what it lies on, and at the room there",
	}
}

// kernelPanic is the failure of a helper whose kernel panicked, which is why the
// conversation broke off with err.
type kernelPanic struct {
	words string // the kernel's, escaped
	err   error
}

func (e *kernelPanic) Error() string { return "the kernel of the helper panicked: " + e.words }
func (e *kernelPanic) Unwrap() error { return e.err }

// panicked returns err as a kernelPanic if the kernel panicked.
func panicked(err error, exit vm.Exit) error {
	if _, named := errors.AsType[*kernelPanic](err); named || exit.Panic == "" {
		return err
	}
	return &kernelPanic{exit.Panic, err}
}

// helperFailure explains a helper that died or broke the protocol. The console
// goes to the log, not into the last line.
func helperFailure(what, on string, err error, exit vm.Exit, m *vm.Machine, log *slog.Logger) error {
	logConsole(exit, m, log)
	err = panicked(err, exit)
	if _, named := errors.AsType[*kernelPanic](err); !named && errors.Is(err, errSilent) {
		err = fmt.Errorf("%w (%s)", err, exit.Reason)
	}
	return &report.Failure{
		Kind: report.Helper, What: what, On: on, Cause: err,
		Remedy: `see the helper's console above, and "snf-image doctor"`,
	}
}

// logConsole logs the end of what a helper and its QEMU printed.
func logConsole(exit vm.Exit, m *vm.Machine, log *slog.Logger) {
	for _, source := range []struct{ name, text string }{{"helper console: ", m.Console()}, {"qemu: ", exit.Stderr}} {
		for line := range strings.SplitSeq(source.text, "\n") {
			if line != "" {
				log.Info(source.name + line)
			}
		}
	}
}

// cause is the innermost reason of a failure, for a sentence of our own.
func cause(err error) error {
	if f, ok := errors.AsType[*report.Failure](err); ok {
		return f.Cause
	}
	return err
}
