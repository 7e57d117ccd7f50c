package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds are what a child may take of the node, in a control group of its own
// (cgroups(7), version 2). There is one only where whoever started this program delegated
// control groups to it.
type Bounds struct {
	Memory    uint64 // in bytes, with its page cache
	Processes int    // and threads
}

// grouped is a layer. A node that delegates nothing does not refuse it.
const grouped = "control group"

// hierarchy is the control groups of a node, as this process sees them.
type hierarchy struct {
	mount string // where they are
	own   string // the group this process is in, below mount
	// marked means that delegated groups have a mark (systemd).
	marked bool
}

// groupPrefix begins the names of groups of ours; the id of this process follows.
const groupPrefix = "snf-image-"

// findHierarchy returns the control groups of the node; false where there are none.
func findHierarchy() (hierarchy, bool) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return hierarchy{}, false
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return hierarchy{}, false
	}
	_, err = os.Stat("/run/systemd/system")
	h := hierarchy{mount: mountOf(mounts, "cgroup2"), marked: err == nil}
	for line := range strings.Lines(string(own)) {
		if name, found := strings.CutPrefix(line, "0::"); found {
			h.own = filepath.Join("/", strings.TrimSpace(name))
		}
	}
	return h, h.mount != "" && h.own != ""
}

// mountOf returns where the whole of a file system of this kind is mounted (proc_pid_mountinfo(5)).
func mountOf(mounts []byte, kind string) string {
	for line := range strings.Lines(string(mounts)) {
		before, after, found := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if found && len(fields) > 4 && fields[3] == "/" && strings.HasPrefix(after, kind+" ") {
			return fields[4]
		}
	}
	return ""
}

// delegated reports whether groups may be made in dir, which the administrator may not
// have meant just because root can.
func (h hierarchy) delegated(dir string) bool {
	if !h.marked {
		return unix.Access(dir, unix.W_OK) == nil
	}
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// make makes a group with these bounds, beside the one this process is in, or in it; its
// path is empty where nothing is delegated.
func (h hierarchy) make(b Bounds, number int) (string, error) {
	for _, above := range []string{filepath.Dir(h.own), h.own} {
		dir := filepath.Join(h.mount, above)
		if h.own == "/" && above != h.own || !h.delegated(dir) {
			continue
		}
		if h.marked { // else it is not ours to decide; it fails where processes are in it
			_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory +pids"), 0)
		}
		enabled, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if on := strings.Fields(string(enabled)); err != nil || !slices.Contains(on, "memory") || !slices.Contains(on, "pids") {
			continue
		}
		sweep(dir)
		group := filepath.Join(dir, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), number))
		return group, b.set(group)
	}
	return "", nil
}

// set makes the group.
func (b Bounds) set(group string) error {
	if err := os.Mkdir(group, 0o755); err != nil {
		return fmt.Errorf("making a control group: %w", err)
	}
	for name, value := range map[string]string{
		"memory.max": strconv.FormatUint(b.Memory, 10), "pids.max": strconv.Itoa(b.Processes), "memory.oom.group": "1",
	} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(value), 0o644); err != nil {
			return errors.Join(fmt.Errorf("bounding a control group: %w", err), os.Remove(group))
		}
	}
	return nil
}

// ErrBounds is the error of a child that was ended by its Bounds.
var ErrBounds = errors.New("it needed more than its control group allows")

// exceeded adds to the error of a child what the group counted of its bounds.
func exceeded(group string, err error) error {
	if err == nil || group == "" {
		return err
	}
	bound := ""
	switch memory := counted(group, "memory.events"); {
	case memory["oom_kill"] > 0 && memory["oom"] > 0: // else it was the node that ran out of memory
		bound = "memory.max"
	case counted(group, "pids.events")["max"] > 0:
		bound = "pids.max"
	default:
		return err
	}
	limit, _ := os.ReadFile(filepath.Join(group, bound))
	return fmt.Errorf("%w (%s %s): %w", ErrBounds, bound, strings.TrimSpace(string(limit)), err)
}

// counted returns what a group counts in one of its files.
func counted(group, file string) map[string]int {
	events, _ := os.ReadFile(filepath.Join(group, file))
	counts := map[string]int{}
	for line := range strings.Lines(string(events)) {
		name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		counts[name], _ = strconv.Atoi(n)
	}
	return counts
}

// sweep removes the groups of runs that were killed.
func sweep(dir string) {
	groups, _ := filepath.Glob(filepath.Join(dir, groupPrefix+"*"))
	for _, group := range groups {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(group), groupPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && errors.Is(unix.Kill(n, 0), unix.ESRCH) {
			_ = os.Remove(group)
		}
	}
}

// removeGroup removes a group whose processes have ended, as far as the kernel knows by now.
func removeGroup(group string) {
	for range 20 {
		if err := os.Remove(group); !errors.Is(err, unix.EBUSY) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// enterGroup moves this process to the group.
func enterGroup(group string) error {
	f, err := os.OpenFile(filepath.Join(group, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("0")
	return errors.Join(err, f.Close())
}
