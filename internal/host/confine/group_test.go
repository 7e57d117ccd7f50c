package confine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeHierarchy is a directory that looks like control groups, with the process in /a/b.
func fakeHierarchy(t *testing.T, enabled string) hierarchy {
	t.Helper()
	h := hierarchy{mount: t.TempDir(), own: "/a/b"}
	if err := os.MkdirAll(h.mount+h.own, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/", "/a", "/a/b"} {
		if err := os.WriteFile(filepath.Join(h.mount, dir, "cgroup.subtree_control"), []byte(enabled), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestGroup(t *testing.T) {
	t.Parallel()
	h := fakeHierarchy(t, "cpu memory pids")
	group, err := h.make(Bounds{Memory: 1 << 30, Processes: 7}, 3)
	if err != nil || filepath.Dir(group) != h.mount+"/a" || !strings.HasSuffix(group, "-3") {
		t.Fatalf("make() = %q, %v, want a group beside the own one", group, err)
	}
	for name, want := range map[string]string{"memory.max": "1073741824", "pids.max": "7"} {
		if got, err := os.ReadFile(filepath.Join(group, name)); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %s", name, got, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := enterGroup(group); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(group, "cgroup.procs")); err != nil || string(got) != "0" {
		t.Errorf("cgroup.procs = %q, %v", got, err)
	}
	if err := enterGroup(h.mount + "/none"); err == nil {
		t.Error("there is a group that was not made")
	}
}

// TestExceeded: the error of a child names the bound that ended it, and no other.
func TestExceeded(t *testing.T) {
	t.Parallel()
	group := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("memory.max", "1048576\n")
	write("memory.events", "low 0\nmax 7\noom 1\noom_kill 0\n")
	write("pids.max", "256\n")
	write("pids.events", "max 0\n")
	died := errors.New("signal: killed")
	if err := exceeded(group, died); err != died {
		t.Errorf("%v, and it did not exceed anything", err)
	}
	write("memory.events", "low 0\nmax 0\noom 0\noom_kill 1\n")
	if err := exceeded(group, died); err != died {
		t.Errorf("%v, and the node ran out of memory", err)
	}
	write("pids.events", "max 3\n")
	if err := exceeded(group, died); !errors.Is(err, ErrBounds) || !errors.Is(err, died) || !strings.Contains(err.Error(), "pids.max 256") {
		t.Errorf("%v, want that of the processes", err)
	}
	write("memory.events", "oom 2\noom_kill 12\n")
	if err := exceeded(group, died); !strings.Contains(err.Error(), "(memory.max 1048576): signal: killed") {
		t.Errorf("%v, want that of the memory", err)
	}
	if err := exceeded(group, nil); err != nil {
		t.Error(err)
	}
}

// TestGroupOnlyWhereDelegated: with systemd, a group without its mark is systemd's.
func TestGroupOnlyWhereDelegated(t *testing.T) {
	t.Parallel()
	h := fakeHierarchy(t, "cpu memory pids")
	h.marked = true
	if group, err := h.make(Bounds{}, 0); group != "" || err != nil {
		t.Errorf("make() = %q, %v, and nothing is delegated", group, err)
	}
	h = fakeHierarchy(t, "cpu")
	if group, err := h.make(Bounds{}, 0); group != "" || err != nil {
		t.Errorf("make() = %q, %v, and memory is not bounded there", group, err)
	}
	h.mount = filepath.Join(h.mount, "none")
	if group, err := h.make(Bounds{}, 0); group != "" || err != nil {
		t.Errorf("make() = %q, %v, and there are no groups", group, err)
	}
}

// TestSweep removes what a killed run left, and nothing of others.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"snf-image-1-0", "snf-image-99999999-0", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	left, _ := filepath.Glob(dir + "/*")
	if want := []string{dir + "/other", dir + "/snf-image-1-0"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

func TestMountOf(t *testing.T) {
	t.Parallel()
	const mounts = "30 25 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n" +
		"31 25 0:27 /part /mnt rw shared:4 - cgroup2 none rw\n" +
		"32 25 0:27 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
	if got := mountOf([]byte(mounts), "cgroup2"); got != "/sys/fs/cgroup/unified" {
		t.Errorf("mountOf() = %q", got)
	}
	if got := mountOf([]byte(mounts), "cgroup3"); got != "" {
		t.Errorf("mountOf() = %q", got)
	}
}

// TestRealGroup puts a child into a group of this machine, without bounds, where it has
// such groups.
func TestRealGroup(t *testing.T) {
	t.Parallel()
	h, found := findHierarchy()
	if !found || h.marked || !asRoot() {
		return
	}
	group := filepath.Join(h.mount, groupPrefix+"test-"+filepath.Base(t.TempDir()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Log(err)
		return
	}
	c := shell("cat /proc/self/cgroup")
	p, out := inGroup(t, c, group)
	if !strings.Contains(out, "0::/"+filepath.Base(group)+"\n") || !slices.Contains(p.Layers, grouped) {
		t.Errorf("layers %q, and it is in\n%s", p.Layers, out)
	}
	if _, err := os.Stat(group); !os.IsNotExist(err) {
		t.Errorf("the group is left behind: %v", err)
	}
}

// inGroup is ended with a group that is there.
func inGroup(t *testing.T, c Child, group string) (*Process, string) {
	t.Helper()
	c.group = group
	return ended(t, c)
}
