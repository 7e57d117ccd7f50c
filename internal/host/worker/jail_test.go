package worker

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
	"snf-image/internal/host/confine"
	"snf-image/internal/report"
	"snf-image/tests/jail"
)

// TestJail: a worker that was taken over, after it has given up what it gives up before it
// reads anything, can do what docs/security.md says. Most attempts end it.
func TestJail(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // the stand-in dies with the thread
	defer runtime.UnlockOSThread()
	f := jail.NewFixture(t)
	got := map[string]string{}
	for _, name := range jail.Names() {
		c := confinement(Job{UID: 1_899_999_992, GID: 1_899_999_992})
		var said bytes.Buffer
		c.Args, c.Stderr = append(c.Args, f.Args(name)...), &said
		p, err := c.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Missing) > 0 {
			t.Errorf("this node refuses %q", p.Missing)
		}
		err = p.Wait()
		got[name] = jail.Outcomes(said.String())[name]
		if killed(p.Cmd) {
			got[name] = jail.Killed
		} else if err != nil {
			t.Errorf("%s: the stand-in ended with %v\n%s", name, err, &said)
		}
	}
	jail.Compare(t, "worker", got)
}

// killed reports whether the kernel ended the process for a system call.
func killed(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGSYS
}

// TestStaysAfterItsResult: a worker that says it is done and stays, to write to the disk once
// more, is ended, and its result not believed.
func TestStaysAfterItsResult(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lines, theirLines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	theirJob, job, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stands := confine.Child{
		Path: "/bin/sh", Args: []string{"sh", "-c", "echo '" + asked[:len(asked)-1] + "'; echo '" + good()[:len(good())-1] + "'; sleep 1000 & wait"},
		Stdin: theirJob, Stdout: theirLines, Namespaces: unix.CLONE_NEWPID, Grace: grace,
	}
	p, err := stands.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = theirJob.Close(), theirLines.Close()
	c := &child{Process: p, job: job, lines: lines, stderr: &command.Tail{Max: maxTail}}
	j := testJob()
	j.Geometry = func(Geometry) error { return nil }
	if r, err := c.converse(t.Context(), j, []byte("{}\n")); report.KindOf(err) != report.Internal || !strings.Contains(err.Error(), "killed") {
		t.Errorf("converse() = %+v, %v, want that it was killed", r, err)
	}
}
