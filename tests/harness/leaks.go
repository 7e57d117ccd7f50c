package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Adopt makes orphans of this process's descendants its children, so that
// processes a run leaves behind are found. It is called once, before any run.
func Adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// NothingLeft fails the test when one of the files, disks and images of ended
// runs, is still held by a process, a loop device or a mount.
func NothingLeft(t testing.TB, files ...string) {
	t.Helper()
	var left []string
	free := Within(5*time.Second, func() bool {
		left = holders(files)
		return len(left) == 0
	})
	if !free {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// holders lists who uses one of the files.
func holders(files []string) []string {
	var found []string
	for _, pid := range processes() {
		if pid == os.Getpid() {
			continue
		}
		for _, link := range openFiles(pid) {
			if slices.Contains(files, link) {
				found = append(found, fmt.Sprintf("process %d (%s) has %s open", pid, commandLine(pid), link))
			}
		}
	}
	backing, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, b := range backing {
		if text, err := os.ReadFile(b); err == nil && slices.Contains(files, strings.TrimSpace(string(text))) {
			found = append(found, fmt.Sprintf("%s is %s", strings.Split(b, "/")[3], strings.TrimSpace(string(text))))
		}
	}
	return found
}

func openFiles(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var links []string
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			links = append(links, strings.TrimSuffix(link, " (deleted)"))
		}
	}
	return links
}

// State is what a node has at one moment, apart from the files of the tests.
type State map[string]bool

// Places are where programs leave things. On a node with other users they
// change all the time.
var Places = []string{"/tmp", "/var/tmp", "/run", "/run/lock", "/dev/shm"}

// Snapshot lists mounts, orphans of this process, loop devices of files below
// the directory keep, and what lies in the places, except keep itself. Mounts below
// Places that are not asked for are somebody else's.
func Snapshot(keep string, places ...string) State {
	s := State{}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && !strings.HasPrefix(fields[1], keep) && !elsewhere(fields[1], places) {
			s["mount on "+fields[1]] = true
		}
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, l := range loops {
		if text, _ := os.ReadFile(l); strings.HasPrefix(string(text), keep) {
			s["loop device of "+strings.TrimSpace(string(text))] = true
		}
	}
	for _, place := range places {
		names, _ := filepath.Glob(place + "/*")
		for _, n := range names {
			if n != keep {
				s["file "+n] = true
			}
		}
	}
	for _, pid := range processes() {
		if parent(pid) == os.Getpid() && commandLine(pid) != "" { // else it is dead, only not waited for
			s["process "+commandLine(pid)] = true
		}
	}
	return s
}

// elsewhere reports whether a path lies in one of Places that is not among those.
func elsewhere(p string, places []string) bool {
	return slices.ContainsFunc(Places, func(dir string) bool {
		return strings.HasPrefix(p, dir+"/") && !slices.Contains(places, dir)
	})
}

// New returns what s has and the earlier state had not, sorted.
func (s State) New(earlier State) []string {
	var found []string
	for what := range s {
		if !earlier[what] {
			found = append(found, what)
		}
	}
	slices.Sort(found)
	return found
}
