package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"snf-image/internal/host/helper"
	"snf-image/internal/host/vm"
	"snf-image/internal/report"
)

// Time limits of the helper's life besides HELPER_SOFT_TIMEOUT.
const (
	helloKVM  = 5 * time.Second  // an ordinary kernel says hello within 1 s
	helloTCG  = 60 * time.Second // within 4 s on an idle node
	powerOff  = 30 * time.Second // from the result to the end of QEMU
	killGrace = time.Second      // from SIGTERM to SIGKILL when nothing is at stake
)

// errMute is the cause of a boot that took too long.
var errMute = errors.New("the helper did not say hello in time")

// helperRun is a helper that said hello.
type helperRun struct {
	machine     *vm.Machine
	talk        *conversation
	accelerator vm.Accelerator
	choice      vm.Choice // that led to it
}

// boot is everything that is needed to start a helper, twice if need be.
type boot struct {
	image     *helper.Image
	qemu      string
	memoryMiB int
	user      *syscall.Credential
	disks     []vm.Disk
	shell     *os.File
	listens   bool // shell is a listening socket
	nonce     string
	verdicts  vm.Verdicts
	redact    func(string) string
	log       *slog.Logger
}

// start boots the helper on the first accelerator on which it says hello. KVM is
// left out where it did not run the helper before.
func (b *boot) start(ctx context.Context) (*helperRun, error) {
	return b.startOn(ctx, vm.Choose(b.user))
}

func (b *boot) startOn(ctx context.Context, choice vm.Choice) (*helperRun, error) {
	choice = b.verdicts.Apply(choice)
	// On TCG it may try twice: a kernel that calibrates its clocks on a busy node gets
	// stuck once in some hundred boots.
	attempts := append(slices.Clone(choice.Accelerators), vm.TCG)
	kvmFailed := ""
	for i, a := range attempts {
		h, err := b.try(ctx, a)
		if err == nil {
			h.choice = choice
			b.log.Info("helper is up", "accelerator", a, "because", choice.Why)
			b.remember(kvmFailed)
			return h, nil
		}
		if i+1 == len(attempts) || ctx.Err() != nil || !worthAnother(err, a, attempts[i+1]) {
			return nil, err
		}
		choice = choice.Failed(fmt.Sprintf("%s did not run the helper: %v", a, cause(err)))
		if a == vm.KVM {
			kvmFailed = choice.Why
		}
		b.log.Warn("starting the helper again with " + string(attempts[i+1]) + ": " + choice.Why)
	}
	return nil, errors.New("no accelerator")
}

// remember keeps why KVM failed, if it did, once the same helper has run without it.
func (b *boot) remember(why string) {
	if why == "" {
		return
	}
	if err := b.verdicts.Remember(why); err != nil {
		b.log.Warn(err.Error() + "; the next deployment tries KVM again")
	}
}

// worthAnother says whether a start that failed with err on one accelerator may
// succeed on next: when it was mute, and when another accelerator ended it. A kernel
// that panicked would on the same one again.
func worthAnother(err error, a, next vm.Accelerator) bool {
	if _, ok := errors.AsType[*kernelPanic](err); ok {
		return a != next
	}
	return errors.Is(err, errMute) || errors.Is(err, errSilent) && a != next
}

// cause is the innermost reason of a failure, for a sentence of our own.
func cause(err error) error {
	if f, ok := errors.AsType[*report.Failure](err); ok {
		return f.Cause
	}
	return err
}

func (b *boot) try(ctx context.Context, a vm.Accelerator) (*helperRun, error) {
	cmdline := helper.Cmdline
	if a == vm.TCG {
		cmdline += " " + helper.CmdlineTCG()
	}
	m, err := vm.Start(vm.Config{
		QEMU: b.qemu, Accelerator: a, Kernel: b.image.Kernel, Initramfs: b.image.Initramfs,
		Cmdline:   cmdline + " snf.nonce=" + b.nonce,
		MemoryMiB: b.memoryMiB, Disks: b.disks, User: b.user, Shell: b.shell, ShellListens: b.listens, Log: b.log, Redact: b.redact,
	})
	if err != nil {
		return nil, err
	}
	limit := helloTCG
	if a == vm.KVM {
		limit = helloKVM
	}
	bootCtx, cancel := context.WithTimeoutCause(ctx, limit, errMute)
	defer cancel()
	talk := newConversation(m.Channel, b.nonce, b.image.Manifest.Contents)
	if err := talk.hello(bootCtx); err != nil {
		exit := m.Stop(killGrace)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, helperFailure("starting the helper", string(a), err, exit, m, b.log)
	}
	return &helperRun{machine: m, talk: talk, accelerator: a}, nil
}

// kernelPanic says that the helper's kernel panicked: whatever the conversation broke
// off with came of that.
type kernelPanic struct {
	words string // the kernel's, escaped
	err   error
}

func (e *kernelPanic) Error() string { return "the kernel of the helper panicked: " + e.words }
func (e *kernelPanic) Unwrap() error { return e.err }

// panicked returns err, or that the kernel panicked if it did.
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

// logConsole tells the last words of a helper and of its QEMU.
func logConsole(exit vm.Exit, m *vm.Machine, log *slog.Logger) {
	for _, source := range []struct{ name, text string }{{"helper console: ", m.Console()}, {"qemu: ", exit.Stderr}} {
		for line := range strings.SplitSeq(source.text, "\n") {
			if line != "" {
				log.Info(source.name + line)
			}
		}
	}
}
