package confine

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// jailed is a shell that has nothing but itself.
func jailed(t *testing.T, script string) Child {
	t.Helper()
	c := shell(script)
	if c.Stage.Root = RootFor(c.Path); c.Stage.Root == nil {
		t.Fatal("the shell is a script")
	}
	c.Stage.Root.Proc = true
	c.Stage.Filter = true
	return c
}

// TestRoot: the child sees its program with its libraries, and itself in /proc, and changes
// none of it. It cannot make a process; what is printed is printed by the shell itself.
func TestRoot(t *testing.T) {
	t.Parallel()
	p, out := ended(t, jailed(t, "echo top /*; echo etc /etc/*; echo proc /proc/[0-9]*; [ -r /etc/passwd ] && echo passwd; echo x >/etc/x; echo x >/x; echo over"))
	if len(p.Missing) > 0 {
		t.Logf("this node refuses %q", p.Missing)
		return
	}
	for _, pattern := range []string{`(?m)^top( /(bin|etc|lib|lib64|proc|usr))+$`, `(?m)^etc /etc/(\*|ld.so.cache)$`, `(?m)^proc /proc/1$`, `(?m)^over$`} {
		if !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("no %s in\n%s", pattern, out)
		}
	}
	if strings.Contains(out, "passwd\n") || strings.Count(out, "cannot create") != 2 {
		t.Errorf("it reads or writes what is not its own:\n%s", out)
	}
}

// TestRootByLandlock: without namespaces, nothing but the root can be opened all the same.
func TestRootByLandlock(t *testing.T) {
	t.Parallel()
	c := jailed(t, "echo etc /etc/*; [ -r /etc/passwd ]; read -r x </etc/passwd; echo x >/tmp/snf-image-x; echo over")
	c.Path = "/bin/bash" // which goes on after a redirection that fails
	c.Namespaces, c.Stage.Root.Proc, c.Stage.ReadOnly = 0, false, true
	p, out := ended(t, c)
	if !slices.Contains(p.Layers, "landlock: no path but its root") {
		t.Logf("this node refuses %q", p.Missing)
		return
	}
	if strings.Contains(out, "/etc/passwd\n") || strings.Count(out, "denied")+strings.Count(out, "No such file")+strings.Count(out, "Read-only") != 2 || !strings.Contains(out, "over") {
		t.Errorf("it opens what is not its own:\n%s", out)
	}
}

// TestRootFallsBack: where a path cannot be mounted the child keeps the root of the node, which
// still has its /proc, and the layer is named.
func TestRootFallsBack(t *testing.T) {
	t.Parallel()
	c := shell("cat /proc/self/status")
	c.Stage.Root = &Root{Paths: []string{"/proc/self/exe"}} // it is of another namespace
	p, out := ended(t, c)
	if !slices.ContainsFunc(p.Missing, func(m string) bool { return strings.HasPrefix(m, ownRoot) }) || !strings.Contains(out, "NoNewPrivs") {
		t.Errorf("missing %q, and it prints\n%s", p.Missing, out)
	}
}

// TestFilter: root with all capabilities may not do what no program of ours needs.
func TestFilter(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"exec unshare -m true": "unshare failed: Operation not permitted", "exec mount -t tmpfs none /mnt": "mount",
		"(echo forked)": "[Cc]annot fork", "exec setsid -f true": "fork: Operation not permitted",
	} {
		c := shell(script)
		c.Stage.Filter = true
		var out strings.Builder
		c.Stdout, c.Stderr = &out, &out
		if err := run(t, c); err == nil || !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%q ends with %v, want %s in\n%s", script, err, want, &out)
		}
	}
}

// run starts c and waits for it.
func run(t *testing.T, c Child) error {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Layers, "seccomp filter") {
		t.Errorf("layers %q, missing %q", p.Layers, p.Missing)
	}
	return p.Wait()
}

// TestCallsHaveNames: each architecture we build for knows those that Filter asks for, but for
// those that only x86 has.
func TestCallsHaveNames(t *testing.T) {
	t.Parallel()
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		for _, name := range slices.Concat(needless, marking, calling, absent, []string{"clone", "mmap", "mprotect", "tgkill", "prctl", "ioctl"}) {
			old := slices.Contains([]string{"ioperm", "iopl", "mknod", "modify_ldt", "uselib", "ustat", "_sysctl", "chmod", "chown", "futimesat", "lchown", "utime", "utimes"}, name)
			if _, known := info.SyscallNames[name]; !known && !(old && info != arch.X86_64) {
				t.Errorf("%s is not a system call of %s", name, info.Name)
			}
		}
	}
}

// TestRootFor knows what programs need.
func TestRootFor(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := RootFor(script); r != nil {
		t.Errorf("RootFor() a script = %+v", r)
	}
	r := RootFor("/bin/sh", "share/data")
	for _, path := range []string{"/usr/share/data", "/etc/ld.so.cache"} {
		if r == nil || !slices.Contains(r.Paths, path) {
			t.Errorf("RootFor(/bin/sh) = %+v without %s", r, path)
		}
	}
	if r != nil && slices.ContainsFunc(r.Paths, func(p string) bool { return p == "/" || p == "/usr" || p == "/etc" }) {
		t.Errorf("RootFor(/bin/sh) = %+v", r)
	}
}

// TestRules: each version of Landlock is asked for what it knows.
func TestRules(t *testing.T) {
	t.Parallel()
	s := Stage{Root: &Root{}}
	if r := s.rules(1, true); r.net != 0 || r.scoped != 0 || r.fs&unix.LANDLOCK_ACCESS_FS_TRUNCATE != 0 || len(r.layers) != 1 {
		t.Errorf("version 1: %+v", r)
	}
	if r := s.rules(6, true); r.net == 0 || r.scoped == 0 || r.fs&unix.LANDLOCK_ACCESS_FS_READ_FILE == 0 || len(r.layers) != 3 {
		t.Errorf("version 6: %+v", r)
	}
	if r := (Stage{}).rules(6, false); r.net != 0 || r.fs&unix.LANDLOCK_ACCESS_FS_READ_FILE != 0 {
		t.Errorf("version 6, on the network, of all files: %+v", r)
	}
	if err := (allowance{path: "/nonexistent"}).add(-1); err != nil {
		t.Errorf("a rule about nothing: %v", err)
	}
	if err := allow(-1, -1, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("a rule of no ruleset: %v", err)
	}
}
