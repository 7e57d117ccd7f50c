// Package vm launches the helper in QEMU and supervises it.
//
// QEMU gets descriptors, never paths: disks as fd sets, kernel and initramfs as
// sealed memfds, every conversation as one end of a socket pair. It runs with a
// uid of its own when the caller is root, inside QEMU's seccomp sandbox, in
// namespaces and with a root of its own, in a process group of its own, and
// dies with its parent. Nothing it prints reaches a log unbounded or unescaped.
package vm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/confine"
	"snf-image/internal/report"
)

// Accelerator is how QEMU runs the helper's processor.
type Accelerator string

// The accelerators.
const (
	KVM Accelerator = "kvm"
	TCG Accelerator = "tcg" // software emulation, works everywhere
)

// Config describes one helper.
type Config struct {
	QEMU        string // path of the program
	Accelerator Accelerator
	// Kernel (an ELF file with a PVH entry) and Initramfs are sealed memfds.
	Kernel, Initramfs *os.File
	Cmdline           string
	MemoryMiB         int
	Disks             []Disk
	// User is who QEMU runs as; nil leaves the caller's identity.
	User *syscall.Credential
	// Shell, when not nil, is the port "snf-image-shell": a connected socket, or
	// a listening one with ShellListens.
	Shell        *os.File
	ShellListens bool
	Log          *slog.Logger
	// Redact takes secrets out of a line that the guest or QEMU printed.
	Redact func(string) string
}

// Disk is one virtio-blk disk of the helper.
type Disk struct {
	File *os.File // opened for reading and writing unless ReadOnly
	// Connect, when not nil, takes the place of File: it returns a new connection to
	// an NBD server, whose handshake is for QEMU to do.
	Connect  func() (*os.File, error)
	Serial   string // at most 20 bytes, how the agent recognizes the disk
	ReadOnly bool
	Direct   bool // File was opened with O_DIRECT
}

// Machine is a running helper.
type Machine struct {
	// Channel is the host's end of the port "snf-image".
	Channel net.Conn

	cmd     *confine.Process
	script  bool // QEMU is one
	console *console
	stderr  *console
	qmp     *monitor
	done    chan struct{}
	exit    Exit
}

// Exit is how the helper ended.
type Exit struct {
	// Clean means that the guest powered itself off and QEMU exited with 0.
	Clean bool
	// Reason is why, for people: "guest-shutdown", "guest-reset", "killed"...
	Reason string
	// Panic is what the guest's kernel said when it panicked, escaped; empty when it
	// did not.
	Panic string
	// Stderr is the end of what QEMU printed, escaped.
	Stderr string
	// CPU is what QEMU used in all, user and system.
	CPU time.Duration
	// Disk is the first error of a disk, nil for none.
	Disk *DiskError
}

// Start launches QEMU. The caller must call Wait, and Kill when it wants an end
// before the guest powers off; files in cfg stay the caller's to close.
func Start(cfg Config) (*Machine, error) {
	p, err := newPlumbing(cfg)
	if err != nil {
		return nil, err
	}
	defer p.closeChild()
	m := &Machine{
		Channel: p.channel,
		console: newConsole(cfg, "console"),
		stderr:  newConsole(cfg, "qemu"),
		qmp:     watchMonitor(p.monitor),
		done:    make(chan struct{}),
	}
	drained := make(chan struct{})
	started := make(chan error, 1)
	go m.run(cfg, p, started, drained)
	if err := <-started; err != nil {
		p.closeHost()
		return nil, &report.Failure{
			Kind: report.Node, What: "starting QEMU", On: cfg.QEMU,
			Cause: err, Remedy: "install qemu-system-x86 or set KVM in the configuration file",
		}
	}
	go func() {
		m.console.drain(p.console)
		close(drained)
	}()
	go m.endPanic(panicLimit)
	return m, nil
}

// run starts QEMU and waits for it on one thread: QEMU dies with the thread
// that forked it, and Go ends the thread of any goroutine that returns locked.
func (m *Machine) run(cfg Config, p *plumbing, started chan<- error, drained <-chan struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child := confinement(cfg)
	child.Args, child.Files = append([]string{cfg.QEMU}, arguments(cfg, p)...), p.files
	child.Stdout, child.Stderr = m.stderr, m.stderr
	m.script = child.Stage.Root == nil
	var err error
	m.cmd, err = child.Start(context.Background())
	started <- err
	if err == nil {
		m.wait(drained)
	}
}

// drainLimit bounds the wait for the rest of the console, should a descriptor
// have leaked.
const drainLimit = time.Second

func (m *Machine) wait(drained <-chan struct{}) {
	err := m.cmd.Wait()
	reason := m.qmp.end()
	select {
	case <-drained:
	case <-time.After(drainLimit):
	}
	m.exit = Exit{
		Reason: reason, Panic: m.console.crash.quote(m.console.shown), Disk: m.qmp.failed, Stderr: m.stderr.Tail(),
		CPU: m.cmd.ProcessState.SystemTime() + m.cmd.ProcessState.UserTime(),
	}
	m.exit.Clean = err == nil && reason == guestShutdown
	if err != nil {
		m.exit.Reason = ended(err)
	}
	m.endChannel()
	close(m.done)
}

// ended says how QEMU ended, and by which of its bounds.
func ended(err error) string {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case !ok:
		return err.Error()
	case errors.Is(err, confine.ErrBounds):
		return "QEMU ended: " + err.Error()
	}
	return fmt.Sprintf("QEMU ended with %v", exit)
}

// endChannel ends the channel even if a descriptor of QEMU's end has leaked. What the
// helper said before can still be read: the end of QEMU may come before our read.
func (m *Machine) endChannel() {
	if c, ok := m.Channel.(*net.UnixConn); ok {
		_, _ = c.CloseRead(), c.CloseWrite()
	}
}

// Wait returns when QEMU has ended, or with the context's cause when ctx ends
// first; the helper then still runs.
func (m *Machine) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-m.done:
		return m.exit, nil
	case <-ctx.Done():
		return Exit{}, context.Cause(ctx)
	}
}

// Done is closed when QEMU has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Console returns the end of what the guest wrote on its serial console,
// escaped and bounded.
func (m *Machine) Console() string { return m.console.Tail() }

// Stop ends QEMU: SIGTERM, and SIGKILL after grace when it is still there. It
// returns when QEMU is gone, and closes the channel.
func (m *Machine) Stop(grace time.Duration) Exit {
	defer func() { _ = m.Channel.Close() }()
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-timer.C:
		_ = m.cmd.Process.Kill()
		<-m.done
	}
	return m.exit
}

// PID returns QEMU's process id.
func (m *Machine) PID() int { return m.cmd.Process.Pid }

// CPU returns what QEMU has used so far, user and system; 0 when it has ended.
func (m *Machine) CPU() time.Duration {
	const scheduled = 2 // CPUCLOCK_SCHED: the clock of a process, clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^m.PID())<<3|scheduled, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
