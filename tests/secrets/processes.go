package secrets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// interval lies between two looks at all processes.
const interval = 5 * time.Millisecond

// pollProcesses looks at all processes, again and again, and once more at the end.
func (s *Search) pollProcesses() {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		s.lookAtProcesses()
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
	}
}

func (s *Search) lookAtProcesses() {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		s.lookAt(dir)
	}
}

// lookAt searches the process with that directory in /proc, which may be gone.
func (s *Search) lookAt(dir string) {
	line, environment := text(dir, "cmdline"), text(dir, "environ")
	if line == "" && environment == "" { // the kernel's, or gone
		return
	}
	shown := strings.TrimSpace(strings.ReplaceAll(line, "\x00", " "))
	where := fmt.Sprintf("process %s (%s)", filepath.Base(dir), shown)
	s.saw(shown)
	s.Text(Arguments, where, line)
	names := s.among(environment)
	if len(names) == 0 || s.handedOver(line) {
		return
	}
	// When it ran another program in between, the environment may have been that of
	// either; the next look tells.
	if now := text(dir, "cmdline"); now != "" && now != line {
		return
	}
	s.add(Environment, where, names)
}

func (s *Search) saw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[line] = true
}

// handedOver reports whether the arguments are those of a process that is to have
// secrets in its environment. A child between fork(2) and execve(2) has them, too:
// its memory is still its parent's.
func (s *Search) handedOver(line string) bool {
	argv := strings.Split(strings.TrimSuffix(line, "\x00"), "\x00")
	return slices.ContainsFunc(s.Handover, func(h []string) bool { return slices.Equal(h, argv) })
}

// text returns a file of a process, "" when there is no such process any more.
func text(dir, file string) string {
	b, _ := os.ReadFile(filepath.Join(dir, file))
	return string(b)
}
