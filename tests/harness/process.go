package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Children returns the process ids of all descendants of pid whose command line
// contains text.
func Children(pid int, text string) []int {
	parents := map[int]int{}
	for _, p := range processes() {
		parents[p] = parent(p)
	}
	var found []int
	for p := range parents {
		if descends(parents, p, pid) && strings.Contains(commandLine(p), text) {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

func descends(parents map[int]int, p, ancestor int) bool {
	for range len(parents) {
		if p = parents[p]; p == ancestor {
			return true
		}
	}
	return false
}

func processes() []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, n := range names {
		if pid, err := strconv.Atoi(filepath.Base(n)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent returns the parent of p, 0 when there is none or p is gone.
func parent(p int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

func commandLine(p int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
	return strings.ReplaceAll(string(b), "\x00", " ")
}

// Within reports whether ok returns true within limit. It is for things no
// descriptor tells, such as another process's progress.
func Within(limit time.Duration, ok func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		<-ticker.C
	}
	return true
}
