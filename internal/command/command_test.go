package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cmd  Cmd
		want string
		err  string
	}{
		"output":      {Cmd{Args: []string{"echo", "a b"}}, "a b\n", ""},
		"stdin":       {Cmd{Args: []string{"cat"}, Stdin: strings.NewReader("in")}, "in", ""},
		"environment": {Cmd{Args: []string{"env"}, Env: []string{"X=1"}}, "LC_ALL=C\nPATH=" + path + "\nX=1\n", ""},
		"directory":   {Cmd{Args: []string{"pwd"}, Dir: "/"}, "/\n", ""},
		"exit code":   {Cmd{Args: []string{"sh", "-c", "echo out; echo why >&2; exit 3"}}, "out\n", "sh: exit status 3: why"},
		"not there":   {Cmd{Args: []string{"no-such-tool"}}, "", "no-such-tool: executable file not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := Run(t.Context(), c.cmd)
			if string(out) != c.want {
				t.Errorf("Run = %q, want %q", out, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)) {
				t.Errorf("Run = %v, want %q", err, c.err)
			}
		})
	}
}

func TestRunExitError(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Cmd{Args: []string{"sh", "-c", "exit 7"}})
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Code != 7 {
		t.Errorf("Run = %v, want an ExitError with 7", err)
	}
	if _, err := Run(t.Context(), Cmd{Args: []string{"no-such-tool"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Run = %v, want %v", err, exec.ErrNotFound)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { // once the tool says it runs
		_, _ = r.Read(make([]byte, 1))
		cancel(enough)
	}()
	if _, err := Run(ctx, Cmd{Args: []string{"sh", "-c", "echo >&3; exec sleep 1000"}, Files: []*os.File{w}}); !errors.Is(err, enough) {
		t.Errorf("Run = %v, want %v", err, enough)
	}
	_, _ = r.Close(), w.Close()
}

func TestRunProgram(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(p, []byte("#!/bin/sh\necho $#; echo err >&2; cat <&4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.WriteString("secret")
	_ = w.Close()
	var both bytes.Buffer
	_, err = Run(t.Context(), Cmd{Args: []string{"name", "x"}, Program: program, Files: []*os.File{r}, Stdout: &both, Stderr: &both})
	if err != nil || both.String() != "1\nerr\nsecret" {
		t.Errorf("Run = %v, output %q", err, both.String())
	}
	_ = r.Close()
}

func TestTail(t *testing.T) {
	t.Parallel()
	b := Tail{Max: MaxOutput}
	for range 3 {
		if n, err := b.Write(bytes.Repeat([]byte("x"), MaxOutput)); n != MaxOutput || err != nil {
			t.Fatal(n, err)
		}
	}
	_, _ = b.Write([]byte("end\n"))
	if b.b.Len() != MaxOutput || b.Text(4) != "xend" {
		t.Errorf("kept %d bytes, text %q", b.b.Len(), b.Text(4))
	}
}
