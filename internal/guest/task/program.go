package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/guest/sandbox"
	"snf-image/internal/redact"
)

// maxProgramOutput bounds what is kept of a program's output, in bytes.
const maxProgramOutput = 64 << 10

// runProgram runs a program that came with the deployment or the image: in the
// root of the helper, with the image below SNF_IMAGE_TARGET, in mount, process
// and network namespaces of its own. All its children end with it.
//
// It knows secrets and may print them in any form. What it prints is therefore never
// part of an error or a warning. It goes to the log alone, and only where IMAGE_DEBUG
// asks for it, redacted.
func runProgram(ctx context.Context, r *Run, c command.Cmd) error {
	env, dropped := environment(r)
	if len(dropped) > 0 {
		r.Warn("too long for the environment of %s: %s", c.Args[0], strings.Join(dropped, ", "))
	}
	var out output
	c.Env, c.Stdout, c.Stderr, c.Log = env, &out, &out, r.Log
	c.Dir = "/"
	c.Sys = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	err := sandbox.Run(r.Target, func() error {
		_, err := command.Run(ctx, c)
		return err
	})
	if text := out.text(); r.Plan.Debug && text != "" {
		r.Log.Debug("output", "program", c.Args[0], "text", withoutSecrets(r, text))
	}
	return programError(r, err)
}

// programError makes the error of a program that failed, without what it printed.
func programError(r *Run, err error) error {
	exit, ok := errors.AsType[*command.ExitError](err)
	if !ok {
		return err
	}
	remedy := "what it printed may hold secrets and is not shown; set IMAGE_DEBUG=yes to have it in the log, redacted"
	if r.Plan.Debug {
		remedy = "see what it printed, in the log above"
	}
	return &Remedied{Err: &command.ExitError{Args: exit.Args, Code: exit.Code, Err: exit.Err}, Remedy: remedy}
}

// withoutSecrets takes the secrets of the deployment out of text.
func withoutSecrets(r *Run, text string) string {
	if r.Credentials == nil {
		return text
	}
	var secrets redact.Redactor
	secrets.AddCredentials(*r.Credentials)
	return secrets.Redact(text)
}

// interpreter returns the program that runs a script beginning with head, as
// execve(2) reads it, and its first argument. It is empty for anything else.
func interpreter(head []byte) (path, arg string) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return "", ""
	}
	path, arg, _ = strings.Cut(strings.TrimSpace(string(rest)), " ")
	return path, strings.TrimSpace(arg)
}

// checkRunnable says what of the helper a program needs and is missing, which
// execve(2) would call "no such file or directory".
func checkRunnable(program []byte) error {
	path, arg := interpreter(program)
	switch {
	case path == "" && !bytes.HasPrefix(program, []byte("\x7fELF")):
		return &Remedied{
			Err:    errors.New("it is neither a script that begins with #! nor an ELF program"),
			Remedy: "begin it with #!/bin/bash",
		}
	case path == "":
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return missing(path)
	}
	if strings.HasSuffix(path, "/env") && arg != "" && !strings.HasPrefix(arg, "-") {
		if _, err := command.Find(arg); err != nil {
			return missing(arg)
		}
	}
	return nil
}

func missing(interpreter string) error {
	return &Remedied{
		Err:    fmt.Errorf("its interpreter %s is not in the helper", interpreter),
		Remedy: `use /bin/bash, or run the image's own by chroot "$SNF_IMAGE_TARGET"`,
	}
}

// memoryFile returns a program as a file that exists in memory only.
func memoryFile(name string, program []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(program); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing a file in memory: %w", err)
	}
	// The kernel refuses to run a file that is open for writing: ours becomes
	// read-only by opening it again.
	ro, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	_ = f.Close()
	return ro, err
}

// output keeps the last maxProgramOutput bytes of what a program prints; both
// of its streams write to it.
type output struct {
	mu  sync.Mutex
	b   bytes.Buffer
	cut bool // at its beginning
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Write(p)
	if over := o.b.Len() - maxProgramOutput; over > 0 {
		o.b.Next(over)
		o.cut = true
	}
	return len(p), nil
}

// text returns whole lines only: the rest of one that was cut may be the rest of a
// secret, which redact would not know.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.b.String()
	if o.cut {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.ToValidUTF8(text, "?")
}
