package admission

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is what a node has, in MiB.
type Memory struct{ Total, Available int }

// Memory reads what there is (proc_meminfo(5)), within the limits of our control
// groups.
func (n Node) Memory() (Memory, error) {
	text, err := os.ReadFile(filepath.Join(n.Proc, "meminfo"))
	if err != nil {
		return Memory{}, fmt.Errorf("reading how much memory there is: %w", err)
	}
	m := Memory{field(text, "MemTotal:") >> 10, field(text, "MemAvailable:") >> 10}
	if m.Total == 0 {
		return m, fmt.Errorf("reading how much memory there is: no MemTotal in %s/meminfo", n.Proc)
	}
	for _, dir := range n.groups() {
		limit := number(filepath.Join(dir, "memory.max"))
		if limit < 0 {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(dir, "memory.stat"))
		// The page cache of the group makes room when it has to, shared memory not.
		used := max(0, number(filepath.Join(dir, "memory.current"))-field(stat, "file ")+field(stat, "shmem "))
		m.Total = min(m.Total, limit>>20)
		m.Available = min(m.Available, max(0, limit-used)>>20)
	}
	return m, nil
}

// groups lists the directories of our control group of cgroup v2 and of those
// around it (cgroups(7)). In a container, whose namespace begins with its group, the
// outermost has a limit as well.
func (n Node) groups() (dirs []string) {
	text, _ := os.ReadFile(filepath.Join(n.Proc, "self/cgroup"))
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		for ok && path != "" && path != "." {
			dirs = append(dirs, filepath.Join(n.Cgroup, path))
			path = filepath.Dir(path)
		}
	}
	return append(dirs, n.Cgroup)
}

// field returns the number behind a name at the start of a line; 0 without.
func field(text []byte, name string) int {
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			words := strings.Fields(rest)
			if len(words) == 0 {
				return 0
			}
			n, _ := strconv.Atoi(words[0])
			return n
		}
	}
	return 0
}

// number returns the number in a file; -1 where there is none ("max").
func number(path string) int {
	b, err := os.ReadFile(path)
	n, convErr := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63)
	if err != nil || convErr != nil || n > math.MaxInt64 {
		return -1
	}
	return int(n)
}
