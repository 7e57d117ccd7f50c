// Package command runs external tools: an argument vector, never a shell;
// LC_ALL=C and a fixed PATH; a deadline by context; bounded output; an error
// that carries the argument vector, the exit code and the end of stderr.
//
// Secrets go to a tool by Stdin or a descriptor in Files, never by argument or
// environment.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// MaxOutput bounds each of stdout and stderr that is kept, in bytes.
const MaxOutput = 1 << 20

// path is where tools are looked for, whatever the caller's PATH was: Ganeti
// and PID 1 provide none that can be relied on.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Cmd is one run of a tool.
type Cmd struct {
	Args   []string // Args[0] is looked up in the usual directories
	Stdin  io.Reader
	Stdout io.Writer  // nil: kept and returned, bounded
	Env    []string   // added to LC_ALL=C and PATH
	Files  []*os.File // descriptors 3, 4, ...
	Dir    string
	Stderr io.Writer // nil: the end is kept for the error; may be Stdout
	// Program is run rather than the tool Args[0], which then is only its name.
	// It is the first of the descriptors of the child.
	Program *os.File
	// Sys isolates the child. The namespaces of the calling thread count too. Of a
	// process group of its own nothing is left after Run.
	Sys *syscall.SysProcAttr
	Log *slog.Logger // gets the quoted arguments at debug level; may be nil
	// Interrupt, when set, tells the tool to end when ctx does; it is killed if it is
	// still there after ten seconds.
	Interrupt syscall.Signal
}

// ExitError says that a tool ran and did not exit with 0.
type ExitError struct {
	Args   []string
	Code   int    // -1 when a signal ended it
	Stderr string // the last bytes of stderr, trimmed
	Err    error
}

// Error names the tool, its status and the end of its stderr.
func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Args[0], e.Err)
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

// Unwrap returns the error of os/exec.
func (e *ExitError) Unwrap() error { return e.Err }

// Find returns the absolute path of the tool name, or an error that says it is
// not installed.
func Find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return exec.LookPath(name)
	}
	for dir := range strings.SplitSeq(path, ":") {
		p := dir + "/" + name
		if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// Environment is what every tool gets.
func Environment() []string { return []string{"LC_ALL=C", "PATH=" + path} }

// Run runs c and returns what it wrote to stdout. When ctx ends, the tool is
// killed and the context's cause returned.
func Run(ctx context.Context, c Cmd) ([]byte, error) {
	if c.Log != nil {
		c.Log.Debug("running", "argv", fmt.Sprintf("%q", c.Args))
	}
	cmd, err := c.prepare(ctx)
	if err != nil {
		return nil, err
	}
	stdout, stderr := Tail{Max: MaxOutput}, Tail{Max: MaxOutput}
	cmd.Stdout, cmd.Stderr = c.Stdout, &stderr
	if c.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	err = cmd.Run()
	if cmd.Process != nil && c.ownGroup() {
		_ = cmd.Cancel() // whatever it left behind in its group
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", c.Args[0], context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = &ExitError{Args: c.Args, Code: exit.ExitCode(), Stderr: stderr.Text(2048), Err: exit}
	}
	return stdout.b.Bytes(), err
}

// ownGroup reports whether the tool gets a process group of its own.
func (c Cmd) ownGroup() bool { return c.Sys != nil && c.Sys.Setpgid }

// prepare turns c into a command that is not started yet.
func (c Cmd) prepare(ctx context.Context) (*exec.Cmd, error) {
	files, tool := c.Files, "/proc/self/fd/3" // of the child, at the time of execve(2)
	if c.Program != nil {
		files = append([]*os.File{c.Program}, files...)
	} else {
		var err error
		if tool, err = Find(c.Args[0]); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, tool, c.Args[1:]...)
	if c.Program != nil {
		cmd.Args[0] = c.Args[0]
	}
	cmd.Env = append(Environment(), c.Env...)
	cmd.Stdin, cmd.Dir, cmd.ExtraFiles = c.Stdin, c.Dir, files
	cmd.SysProcAttr = c.Sys
	cmd.WaitDelay = time.Second
	if c.Interrupt != 0 {
		cmd.Cancel = func() error { return cmd.Process.Signal(c.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
	}
	if c.ownGroup() {
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
	return cmd, nil
}
