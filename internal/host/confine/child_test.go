package confine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Args[0] == Name {
		runtime.LockOSThread() // so that the stage is on another thread than the first
		failed := make(chan error)
		go func() { failed <- Launch(os.Args) }()
		fmt.Fprintln(os.Stderr, <-failed)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// shell describes a shell that runs a script, as the namespace of all the kinds has it.
func shell(script string) Child {
	return Child{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Grace: time.Second,
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
}

// ended starts c and returns it and what it printed when it has ended.
func ended(t *testing.T, c Child) (*Process, string) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	p, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%q ends with %v\n%s", c.Args, err, &out)
	}
	return p, out.String()
}

// asRoot reports whether what only root can do is expected.
func asRoot() bool { return os.Geteuid() == 0 }

// TestLayers asks the program itself, or the kernel about it, whether each layer that is
// named is there.
func TestLayers(t *testing.T) {
	t.Parallel()
	left, err := unix.Open("/proc/self/status", unix.O_RDONLY, 0) // as a careless parent leaves it, without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(left) }()
	c := shell("cat /proc/self/status /proc/self/limits; ls -l /proc/self/fd; echo env; env; echo writes; echo x >" + t.TempDir() + "/file; cat /dev/null; true")
	c.Stage = Stage{
		Limits:   []Limit{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 77}, {unix.RLIMIT_NPROC, 10000}},
		ReadOnly: true, Activate: true,
	}
	want := map[string]string{
		"no-new-privs": `(?m)^NoNewPrivs:\t1$`,
		"rlimits":      `(?m)^Max core file size +0 +0 [^!]*^Max open files +77 +77 `,
	}
	if asRoot() {
		c.User = &syscall.Credential{Uid: 1_899_999_999, Gid: 1_899_999_999}
		want["uid"] = `(?m)^Uid:\t1899999999\t1899999999\t1899999999\t1899999999$`
		want["pid namespace"] = `LISTEN_PID=1\n`
	}
	p, out := ended(t, c)
	for layer, pattern := range want {
		if !slices.Contains(p.Layers, layer) || !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("layer %s among %q, and %s in\n%s", layer, p.Layers, pattern, out)
		}
	}
	if slices.Contains(p.Layers, "landlock: no change by path") == slices.Contains(p.Missing, "landlock") {
		t.Errorf("landlock among %q and %q, want it in one", p.Layers, p.Missing)
	}
	if strings.Contains(out, "/proc/") && strings.Contains(out, "-> /proc/self/status") || strings.Contains(out, "status ->") {
		t.Errorf("it has a descriptor that was left open:\n%s", out)
	}
	if !strings.Contains(out, "LISTEN_FDS=1\n") || strings.Contains(out, "HOME=") {
		t.Errorf("the environment:\n%s", out)
	}
	if asRoot() && len(p.Missing) == 0 {
		for _, n := range namespaces {
			if c.wanted()&n.flag != 0 && !slices.Contains(p.Layers, n.name) {
				t.Errorf("the %s is not among %q", n.name, p.Layers)
			}
		}
	}
}

// TestReadOnly: with landlock, root changes nothing by path.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	c := shell("echo x >" + file + "; mkdir " + file + ".d; cat /etc/passwd >&2")
	c.Stage.ReadOnly = true
	p, _ := ended(t, c)
	_, err := os.Stat(file)
	if refused := errors.Is(err, fs.ErrNotExist); refused != slices.Contains(p.Layers, "landlock: no change by path") {
		t.Errorf("writing was refused: %v, layers %q, missing %q", refused, p.Layers, p.Missing)
	}
	if _, err := os.Stat(file + ".d"); err == nil && len(p.Missing) == 0 {
		t.Error("a directory was made")
	}
}

// TestCapabilities of root that keeps one.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	if !asRoot() {
		if err := dropBounds(nil); err == nil {
			t.Error("an ordinary user gives up what only root may give up")
		}
		return
	}
	c := shell("grep ^Cap /proc/self/status")
	c.Stage.Capabilities = []int{unix.CAP_NET_BIND_SERVICE}
	_, out := ended(t, c)
	const want = "CapInh:0000000000000000CapPrm:0000000000000400CapEff:0000000000000400CapBnd:0000000000000400CapAmb:0000000000000000"
	if got := strings.Join(strings.Fields(out), ""); got != want {
		t.Errorf("capabilities\n%s\nwant\n%s", got, want)
	}
}

// TestNothingOutlivesThePIDNamespace: what the child forks, in a session of its own,
// dies with it, and lives on without the namespace.
func TestNothingOutlivesThePIDNamespace(t *testing.T) {
	t.Parallel()
	for i, namespaces := range []uintptr{unix.CLONE_NEWPID, 0} {
		seconds := strconv.Itoa(1_000_000 + 2*os.Getpid() + i) // found by it
		c := shell("setsid -f sleep " + seconds + " </dev/null >/dev/null 2>&1")
		c.Namespaces = namespaces
		p, _ := ended(t, c)
		inside := slices.Contains(p.Layers, "pid namespace")
		if inside != (namespaces != 0) && len(p.Missing) == 0 {
			t.Errorf("layers %q as uid %d", p.Layers, os.Geteuid())
		}
		pids := sleepers(t, seconds)
		for begin := time.Now(); !inside && len(pids) == 0 && time.Since(begin) < 10*time.Second; { // until it is what setsid becomes
			pids = sleepers(t, seconds)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if inside == (len(pids) > 0) {
			t.Errorf("in a pid namespace: %v, and %v outlive their parent", inside, pids)
		}
	}
}

// sleeping is a child that does not end.
func sleeping() Child { return shell("exec sleep 1000") }

// TestDiesWithItsParent: the program dies when the thread that started it does, on
// whatever of its threads the stage became the program.
func TestDiesWithItsParent(t *testing.T) {
	t.Parallel()
	for range 10 {
		started := make(chan *Process, 1)
		go func() {
			runtime.LockOSThread() // returning locked ends the thread
			p, err := sleeping().Start(t.Context())
			if err != nil {
				t.Error(err)
			}
			if unix.Gettid() == os.Getpid() { // the first thread never ends
				_ = p.Process.Kill()
			}
			started <- p
		}()
		p := <-started
		if p == nil {
			return
		}
		timer := time.AfterFunc(30*time.Second, func() {
			t.Error("it lives on")
			_ = p.Process.Kill()
		})
		if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("it ended with %v", err)
		}
		timer.Stop()
	}
}

// sleepers are the processes that sleep for that long.
func sleepers(t *testing.T, seconds string) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if text, _ := os.ReadFile(path); bytes.HasPrefix(text, []byte("sleep\x00"+seconds)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestStageFails: the parent learns why the program did not begin.
func TestStageFails(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := shell("")
	c.Path = "/no/program"
	if _, err := c.Start(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "running /no/program: no such file") {
		t.Errorf("Start() without the program = %v", err)
	}
	c = shell("exit 0")
	c.Stage.Limits = []Limit{{999, 0}}
	if _, err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "limit of resource 999") {
		t.Errorf("Start() with a limit the kernel does not know = %v", err)
	}
}

// TestAttempts: a refusal of one kind costs one kind.
func TestAttempts(t *testing.T) {
	t.Parallel()
	got := Child{Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWNET}.attempts()
	want := []uintptr{unix.CLONE_NEWPID | unix.CLONE_NEWNET, unix.CLONE_NEWNET, unix.CLONE_NEWPID, 0}
	if !asRoot() {
		want = []uintptr{unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUSER, 0}
	}
	if !slices.Equal(got, want) {
		t.Errorf("attempts() = %x, want %x", got, want)
	}
}

// TestStopped: a run that is told to end while a child is being started says so, and not that
// the child was faulty.
func TestStopped(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stopped := errors.New("stopped")
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(after, func() { cancel(stopped) })
		if after == 0 {
			cancel(stopped)
		}
		p, err := shell("exit 0").Start(ctx)
		if err == nil {
			_ = p.Wait() // it was quicker
		} else if !errors.Is(err, stopped) {
			t.Errorf("Start() that was told to end after %v = %v", after, err)
		}
		timer.Stop()
		cancel(nil)
	}
}
