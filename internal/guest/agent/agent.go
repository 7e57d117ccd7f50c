// Package agent is PID 1 of the helper VM: it sets the system up, talks to the
// host over a virtio-serial port, puts the instance's disks together, finds out
// what is on them, runs the plan and powers the machine off.
//
// The host believes nothing but a complete result. The agent therefore sends
// exactly one, after everything is unmounted and flushed, and powers off
// whatever happened. It never reads a disk before the host has handed it over.
//
// It is large because PID 1 sets everything up by itself: devices, disks, the
// conversation and the shell.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/channel"
	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/modules"
	"snf-image/internal/guest/task"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Main runs the agent of that release and powers the machine off. It does not
// return.
func Main(release string) {
	debug.SetMemoryLimit(memoryLimit)
	log := slog.New(slog.NewTextHandler(&bounded{w: os.Stderr, left: maxConsole}, nil))
	if err := serve(release, log); err != nil {
		log.Error("agent", "error", err)
	}
	powerOff(log)
}

// memoryLimit is where garbage is collected at any cost, in bytes: the helper has
// as little as 256 MiB, with its files in them and no swap.
const memoryLimit = 96 << 20

// serve sets up and holds the conversation with the host. Its error is what
// could not be told to the host.
func serve(release string, log *slog.Logger) error {
	if err := mountSystem(); err != nil {
		return err
	}
	events, err := listen()
	if err != nil {
		return err
	}
	lists, err := modules.Read()
	if err != nil {
		return err
	}
	if err := modules.Load(lists.Boot); err != nil {
		return err
	}
	host, err := dial(events, release)
	if err != nil {
		return err
	}
	s := &session{host: host, events: events, modules: lists, log: log}
	return host.result(s.run(context.Background()))
}

// session is one run of the helper.
type session struct {
	host    *conversation
	events  *uevents
	modules modules.Lists
	log     *slog.Logger

	plan  *spec.Plan
	ready channel.DiskReadyBody
	disks []*disk
	root  filesystem.Volume // with the system, once that is found
	nt    *inspect.NT       // of a Windows
	// processor is the level of the processor that the programs of the system need.
	processor string
	task      *task.Run
	seen      []string // volumes that were mounted in the system when it was looked at
}

// run does all the work and returns the result. Whatever happens, everything is
// unmounted and flushed before it returns.
func (s *session) run(ctx context.Context) (result report.Result) {
	result.Nonce = s.host.nonce
	fail := func(err error) {
		if err == nil || result.Error != "" {
			return
		}
		result.Error, result.TimedOut = err.Error(), errors.Is(err, spec.ErrTimeUp)
		if r, ok := errors.AsType[*task.Remedied](err); ok {
			result.Remedy = r.Remedy
		}
	}
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic", "value", v, "stack", string(debug.Stack()))
			fail(fmt.Errorf("internal error of the agent: %v", v))
		}
		fail(s.release())
		if s.task != nil {
			result.Changed = s.task.Changed
		}
	}()
	tasks, err := s.work(ctx)
	result.Tasks = tasks
	fail(err)
	return result
}

// work goes through the conversation up to the result.
func (s *session) work(ctx context.Context) ([]report.TaskResult, error) {
	plan, err := s.host.plan()
	if err != nil {
		return nil, err
	}
	s.plan = plan
	if plan.Debug {
		s.log = slog.New(newHostLog(s.log.Handler(), s.host.event))
	}
	setClock(plan.UnixTime)
	if unknown := task.Unknown(plan); len(unknown) > 0 {
		return nil, fmt.Errorf("not in this version: task %s", unknown[0])
	}
	if s.ready, err = s.host.awaitDisk(); err != nil {
		return nil, err
	}
	if plan.SoftSeconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(plan.SoftSeconds)*time.Second, spec.ErrTimeUp)
		defer cancel()
	}
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	if plan.Mode == spec.ModeShell {
		return nil, s.shell(ctx, "")
	}
	if err := s.inspect(ctx); err != nil || plan.Mode == spec.ModeInspect {
		return nil, err
	}
	if plan.WantsCredentials {
		if s.task.Credentials, err = s.host.credentials(); err != nil {
			return nil, err
		}
	}
	return s.customize(ctx)
}

// customize runs the tasks.
func (s *session) customize(ctx context.Context) ([]report.TaskResult, error) {
	if err := s.task.Recover(ctx); err != nil {
		return nil, err
	}
	if err := s.precheck(ctx); err != nil {
		return nil, err
	}
	if err := s.task.Prepare(ctx); err != nil {
		return nil, err
	}
	runner := &task.Runner{Run: s.task, Between: reap, OnFailure: func(name string, err error) {
		if !s.plan.DebugShell {
			return
		}
		if err := s.shell(ctx, fmt.Sprintf("%s failed: %v", name, err)); err != nil {
			s.log.Error("debug shell", "error", err)
		}
	}}
	return runner.All(ctx)
}

// setClock sets the clock to the host's: the machine's own may be anything.
func setClock(seconds int64) {
	if seconds > 0 {
		tv := unix.NsecToTimeval(seconds * int64(time.Second))
		_ = unix.Settimeofday(&tv)
	}
}
