package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// errNoHello is the cause of a boot that took too long.
var errNoHello = errors.New("the helper did not say hello in time")

// boot is everything that is needed to start a helper, twice if need be.
type boot struct {
	image     *helper.Image
	qemu      string
	memoryMiB int
	wanted    string // accelerator, as vm.Choose has it
	user      *syscall.Credential
	disks     []vm.Disk
	shell     Shell
	nonce     string
	verdicts  vm.Verdicts
	redact    func(string) string
	log       *slog.Logger
}

// running is a helper that said hello.
type running struct {
	machine     *vm.Machine
	talk        *conversation
	accelerator vm.Accelerator
	choice      vm.Choice // that led to it
}

// start boots the helper on the first accelerator on which it says hello. KVM is
// left out where it did not run the helper before.
func (b *boot) start(ctx context.Context) (*running, error) {
	return b.startOn(ctx, vm.Choose(b.wanted, b.user))
}

func (b *boot) startOn(ctx context.Context, choice vm.Choice) (*running, error) {
	if choice.Broken != "" {
		return nil, unusable(choice)
	}
	choice = b.verdicts.Apply(choice)
	attempts := slices.Clone(choice.Accelerators)
	// On TCG it may try twice: a kernel that calibrates its clocks on a busy node gets
	// stuck once in some hundred boots.
	if attempts[len(attempts)-1] == vm.TCG {
		attempts = append(attempts, vm.TCG)
	}
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

// unusable is the failure of a node that is to use nothing but an accelerator it does not have.
func unusable(c vm.Choice) error {
	return &report.Failure{
		Kind: report.Node, What: "starting the helper", On: c.Why, Cause: errors.New(c.Broken),
		Remedy: c.Remedy + "; or set ACCELERATOR=auto, which takes TCG then",
	}
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

// worthAnother reports whether a start that failed with err on one accelerator may
// succeed on next: when it did not say hello, and when another accelerator ended it. A kernel
// that panicked would on the same one again.
func worthAnother(err error, a, next vm.Accelerator) bool {
	if _, ok := errors.AsType[*kernelPanic](err); ok {
		return a != next
	}
	return errors.Is(err, errNoHello) || errors.Is(err, errSilent) && a != next
}

func (b *boot) try(ctx context.Context, a vm.Accelerator) (*running, error) {
	cmdline := helper.Cmdline
	if a == vm.TCG {
		cmdline += " " + helper.CmdlineTCG()
	}
	m, err := vm.Start(vm.Config{
		QEMU: b.qemu, Accelerator: a, Kernel: b.image.Kernel, Initramfs: b.image.Initramfs,
		Cmdline:   cmdline + " snf.nonce=" + b.nonce,
		MemoryMiB: b.memoryMiB, Disks: b.disks, User: b.user, Shell: b.shell.file, ShellListens: b.shell.dir != "", Log: b.log, Redact: b.redact,
	})
	if err != nil {
		return nil, err
	}
	limit := helloTCG
	if a == vm.KVM {
		limit = helloKVM
	}
	bootCtx, cancel := context.WithTimeoutCause(ctx, limit, errNoHello)
	defer cancel()
	talk := newConversation(m.Channel, b.nonce, b.image.Manifest.Contents)
	if err := talk.hello(bootCtx); err != nil {
		exit := m.Stop(killGrace)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, helperFailure("starting the helper", string(a), err, exit, m, b.log)
	}
	return &running{machine: m, talk: talk, accelerator: a}, nil
}
