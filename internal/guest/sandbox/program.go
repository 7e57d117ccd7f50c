package sandbox

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
	"snf-image/internal/guest/outcome"
)

// maxProgramOutput bounds what is kept of a program's output, in bytes.
const maxProgramOutput = 64 << 10

// Execute runs a program in the root of the helper, with the image below dir, in mount,
// process and network namespaces of its own. All its children end with it.
//
// Such a program knows secrets and may print them in any form. What it prints is
// therefore never part of the error: it is returned, and the caller's to redact.
func Execute(ctx context.Context, dir string, c command.Cmd) (printed string, err error) {
	var out output
	c.Stdout, c.Stderr, c.Dir = &out, &out, "/"
	c.Sys = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	err = Run(dir, func() error {
		_, err := command.Run(ctx, c)
		return err
	})
	if exit, ok := errors.AsType[*command.ExitError](err); ok {
		err = &command.ExitError{Args: exit.Args, Code: exit.Code, Err: exit.Err}
	}
	return out.text(), err
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

// CheckRunnable returns as an error what of the helper a program needs and is missing, which
// execve(2) would call "no such file or directory".
func CheckRunnable(program []byte) error {
	path, arg := interpreter(program)
	switch {
	case path == "" && !bytes.HasPrefix(program, []byte("\x7fELF")):
		return &outcome.Remedied{
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
	return &outcome.Remedied{
		Err:    fmt.Errorf("its interpreter %s is not in the helper", interpreter),
		Remedy: `use /bin/bash, or run the image's own by chroot "$SNF_IMAGE_TARGET"`,
	}
}

// MemoryFile returns a program as a file that exists in memory only.
func MemoryFile(name string, program []byte) (*os.File, error) {
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
// secret, which no redaction would know.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.b.String()
	if o.cut {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.ToValidUTF8(text, "?")
}
