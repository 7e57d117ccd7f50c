package confine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// self is this program.
const self = "/proc/self/exe"

// Child describes a child process.
type Child struct {
	// Path is the program. Empty is this program itself.
	Path string
	Args []string // argv, with the name of the process
	Env  []string // all of it
	// Files are descriptors 3 and so on. There are no others.
	Files  []*os.File
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	// User is the identity; nil is the caller's.
	User *syscall.Credential
	// Namespaces are those it gets of its own (clone(2) flags), where the caller may
	// make some; with a Root, also one of mounts, and a caller who is not root makes one
	// of users with them. In a PID namespace everything it forks dies with it.
	Namespaces uintptr
	// Stays lets it outlive the parent.
	Stays bool
	// Stage is what a process can only do to itself.
	Stage Stage
	// Bounds are what it may take in all, with what it starts; nil leaves them open.
	Bounds *Bounds
	group  string // that was made for it

	// Interrupt goes to the process group when the context ends; 0 is SIGKILL. After
	// Grace the process is killed, and its output is no longer waited for.
	Interrupt syscall.Signal
	Grace     time.Duration
}

// namespaces have names, for people. Where one is refused, all later ones are still
// tried.
var namespaces = []struct {
	flag uintptr
	name string
}{
	{unix.CLONE_NEWUSER, "user namespace"},
	{unix.CLONE_NEWPID, "pid namespace"},
	{unix.CLONE_NEWNS, "mount namespace"},
	{unix.CLONE_NEWNET, "network namespace"},
	{unix.CLONE_NEWIPC, "ipc namespace"},
	{unix.CLONE_NEWUTS, "uts namespace"},
}

// Process is a child that runs.
type Process struct {
	*exec.Cmd
	// Layers are those that confine it, Missing those that were refused.
	Layers, Missing []string
	group           string // empty for the caller's
}

// Wait is that of the Cmd. It must be called in the end, by whoever started it. A child that
// has failed for its Bounds is told by ErrBounds.
func (p *Process) Wait() error {
	err := exceeded(p.group, p.Cmd.Wait())
	if p.group != "" {
		removeGroup(p.group)
	}
	return err
}

// Start starts the child. Unless it Stays, it dies with the thread that calls Start,
// which must be locked. When ctx ends before the child has begun, the error is its cause.
func (c Child) Start(ctx context.Context) (*Process, error) {
	var missing []string
	if h, found := findHierarchy(); found && c.Bounds != nil {
		var err error
		if c.group, err = h.make(*c.Bounds, int(groups.Add(1))); err != nil {
			missing = []string{fmt.Sprintf("%s (%v)", grouped, err)}
			c.group = ""
		}
	}
	p, err := c.startSomehow(ctx)
	if err != nil && c.group != "" {
		removeGroup(c.group)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		p.Missing = append(p.Missing, missing...)
	}
	return p, err
}

// groups counts those that were made.
var groups atomic.Int64

// startSomehow starts it with as many namespaces as the node allows.
func (c Child) startSomehow(ctx context.Context) (*Process, error) {
	for _, flags := range c.attempts() {
		p, err := c.start(ctx, flags)
		// Root in a container may not make namespaces, or there are as many as the
		// node allows (namespaces(7)), or users may not (user_namespaces(7)).
		if flags != 0 && slices.ContainsFunc(refusals, func(e unix.Errno) bool { return errors.Is(err, e) }) {
			continue
		}
		return p, err
	}
	panic("unreachable: without namespaces every error is final")
}

// refusals are the errors by which namespaces are refused.
var refusals = []unix.Errno{unix.EPERM, unix.ENOSPC, unix.EINVAL, unix.EACCES}

// wanted are the namespaces it should be in.
func (c Child) wanted() uintptr {
	all := c.Namespaces
	if c.Stage.Root != nil {
		all |= unix.CLONE_NEWNS
	}
	if all != 0 && os.Geteuid() != 0 {
		all |= unix.CLONE_NEWUSER
	}
	return all
}

// attempts are the sets of namespaces to try: all, all but one, none. An ordinary user
// gets all or none.
func (c Child) attempts() []uintptr {
	wanted := c.wanted()
	if wanted == 0 {
		return []uintptr{0}
	}
	all := []uintptr{wanted}
	for _, n := range namespaces {
		if rest := wanted &^ n.flag; rest != wanted && rest != 0 && wanted&unix.CLONE_NEWUSER == 0 {
			all = append(all, rest)
		}
	}
	return append(all, 0)
}

// start starts the child in these namespaces.
func (c Child) start(ctx context.Context, flags uintptr) (*Process, error) {
	cmd := exec.CommandContext(ctx, self)
	cmd.Args, cmd.Env, cmd.Dir = c.Args, append([]string{}, c.Env...), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.Stdin, c.Stdout, c.Stderr, slices.Clone(c.Files)
	cmd.WaitDelay = c.Grace
	// A signal to the group of the caller must not reach the child, nor the other way
	// round.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.AmbientCaps = userNamespace
	}
	if !c.Stays {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, c.signal()) }
	p := &Process{Cmd: cmd, group: c.group, Layers: c.layers(flags), Missing: named(c.wanted() &^ flags)}
	return p, c.startStage(p, flags)
}

func (c Child) signal() syscall.Signal {
	if c.Interrupt == 0 {
		return syscall.SIGKILL
	}
	return c.Interrupt
}

// layers are those the parent makes.
func (c Child) layers(flags uintptr) []string {
	layers := []string{"process group", "own descriptors"}
	if !c.Stays {
		layers = append(layers, "dies with its parent")
	}
	if len(c.Env) == 0 {
		layers = append(layers, "empty environment")
	}
	return append(layers, named(flags)...)
}

func named(flags uintptr) (names []string) {
	for _, n := range namespaces {
		if flags&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	return names
}
