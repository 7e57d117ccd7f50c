package harness

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// runLimit ends a run that hangs; hardly anything here takes a tenth of it.
const runLimit = 5 * time.Minute

// Patience is by how much all limits are longer: SNF_PATIENCE, for machines with much else to
// do.
var Patience = sync.OnceValue(func() time.Duration {
	n, err := strconv.Atoi(os.Getenv("SNF_PATIENCE"))
	if err != nil {
		return 1
	}
	return time.Duration(max(n, 1))
})

// Process is a running snf-image.
type Process struct {
	Args  []string
	cmd   *exec.Cmd
	out   lockedBuffer
	err   lockedBuffer
	start time.Time
	done  chan struct{} // closed when it has ended, with result
	wait  error
	t     testing.TB
}

// Outcome is how a run ended.
type Outcome struct {
	Args           []string
	Code           int // 128+n when signal n ended it
	Stdout, Stderr string
	Took           time.Duration
	CPU            time.Duration // of the program and everything it waited for
}

// Start runs the program with the installation's configuration file. The test
// must call Wait.
func (in *Installation) Start(t testing.TB, args ...string) *Process {
	t.Helper()
	return in.start(t, "", nil, args...)
}

// StartWrapped is Start below another program, such as strace.
func (in *Installation) StartWrapped(t testing.TB, wrapper []string, args ...string) *Process {
	t.Helper()
	return in.start(t, "", wrapper, args...)
}

// Run runs the program to its end.
func (in *Installation) Run(t testing.TB, args ...string) Outcome {
	t.Helper()
	return in.Start(t, args...).Wait()
}

// RunInput is Run with text on standard input.
func (in *Installation) RunInput(t testing.TB, stdin string, args ...string) Outcome {
	t.Helper()
	return in.start(t, stdin, nil, args...).Wait()
}

func (in *Installation) start(t testing.TB, stdin string, wrapper []string, args ...string) *Process {
	t.Helper()
	argv := append(append([]string{}, wrapper...), in.Program, "--config", in.Config)
	return launch(t, stdin, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + in.Temporary}, append(argv, args...))
}

// launch starts argv with that environment alone.
func launch(t testing.TB, stdin string, env, argv []string) *Process {
	t.Helper()
	p := &Process{Args: argv, start: time.Now(), done: make(chan struct{}), t: t}
	p.cmd = exec.Command(p.Args[0], p.Args[1:]...)
	p.cmd.Env = env
	p.cmd.Stdin = strings.NewReader(stdin)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", Quote(p.Args), err)
	}
	go func() {
		p.wait = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the program if it still runs.
func (p *Process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Until waits until ok returns true, and fails the test when the program ends
// before.
func (p *Process) Until(limit time.Duration, what string, ok func() bool) {
	p.t.Helper()
	if !Within(limit, func() bool { return ok() || p.Ended() }) {
		p.t.Fatalf("waited %v for %s: %s\n%s", limit, what, Quote(p.Args), p.Stderr())
	}
	if p.Ended() {
		p.t.Fatalf("ended before %s\n%s", what, p.Wait())
	}
}

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// PID returns the process id of the program, or of its wrapper.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stderr returns what was written so far.
func (p *Process) Stderr() string { return p.err.String() }

// Signal sends a signal to the program.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Errorf("sending %v: %v", s, err)
	}
}

// Wait returns when the program has ended.
func (p *Process) Wait() Outcome {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(runLimit * Patience()):
		p.t.Errorf("still running after %v, killed: %s", runLimit*Patience(), Quote(p.Args))
		p.kill()
	}
	o := Outcome{Args: p.Args, Stdout: p.out.String(), Stderr: p.err.String(), Took: time.Since(p.start)}
	state := p.cmd.ProcessState
	o.CPU = state.UserTime() + state.SystemTime()
	o.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Code = 128 + int(ws.Signal())
	}
	if _, ok := errors.AsType[*exec.ExitError](p.wait); p.wait != nil && !ok {
		p.t.Errorf("%s: %v", Quote(p.Args), p.wait)
	}
	return o
}

// OK fails the test unless the run succeeded.
func (o Outcome) OK(t testing.TB) Outcome {
	t.Helper()
	if o.Code != 0 {
		t.Fatalf("exit code %d, want 0\n%s", o.Code, o)
	}
	return o
}

var lastLine = regexp.MustCompile(`^snf-image: error: .+`)

// Fails fails the test unless the run ended with that exit code and a last line
// in the documented form that matches the pattern.
func (o Outcome) Fails(t testing.TB, code int, pattern string) Outcome {
	t.Helper()
	last := o.LastLine()
	switch {
	case o.Code != code:
		t.Errorf("exit code %d, want %d\n%s", o.Code, code, o)
	case !lastLine.MatchString(last):
		t.Errorf("last line of stderr = %q, want snf-image: error: …\n%s", last, o)
	case !regexp.MustCompile(pattern).MatchString(last):
		t.Errorf("last line of stderr = %q, want a match of %q\n%s", last, pattern, o)
	}
	for line := range strings.Lines(o.Stderr) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), isControl) {
			t.Errorf("line of stderr with control characters: %q", line)
		}
	}
	return o
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// LastLine returns the last line of stderr.
func (o Outcome) LastLine() string {
	s := strings.TrimSuffix(o.Stderr, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// String shows how to repeat the run and what it said.
func (o Outcome) String() string {
	const keep = 8000
	err := o.Stderr
	if len(err) > keep {
		err = "…" + err[len(err)-keep:]
	}
	return "to repeat it (SNF_KEEP=1 keeps the files): " + Quote(o.Args) + "\n" + err
}

// Quote formats an argument vector for a shell.
func Quote(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if a != "" && !strings.ContainsFunc(a, needsQuotes) {
			b.WriteString(a)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(a, "'", `'\''`) + "'")
	}
	return b.String()
}

func needsQuotes(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@+", r)
}

// lockedBuffer can be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
