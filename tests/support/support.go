// Package support keeps the matrix of what is shown to work on which system. A test collects
// evidence while it runs; what it has shown is compared with its file in testdata, and the
// tables of docs/guests.md are made of these files. With the flag -update a test rewrites its
// file.
//
// A new column is one line of Tasks, a new row one line of Systems. A test begins with
//
//	shown := support.Collect(t)
//
// and calls shown.Show(system, task, level) in the subtest that has shown it.
package support

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"snf-image/tests/golden"
)

// Level is how well something is shown, the best last.
type Level string

// The levels. What is transcribed was checked against files that were written after the
// documentation or the packages of a system, by our own code alone.
const (
	Transcribed Level = "transcribed"
	Parser      Level = "real parser"
	Booted      Level = "booted"
)

var levels = []Level{Transcribed, Parser, Booted}

// Evidence is what one test shows.
type Evidence struct {
	t     testing.TB
	mu    sync.Mutex
	lines map[string]bool
	part  bool
}

// Collect returns the evidence of a test, which is compared with its file when the test and
// its subtests have ended.
func Collect(t *testing.T) *Evidence {
	t.Helper()
	e := &Evidence{t: t, lines: map[string]bool{}}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	top := Top(t)
	own, err := filepath.Rel(top, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() || partial() {
			return
		}
		file := filepath.Join(top, "tests/support/testdata", t.Name()+".txt")
		if e.part {
			e.add(file)
		}
		golden.File(t, file, e.text(own))
	})
	return e
}

// Part says that only some runs of a long test are done. What they show has to be in the file,
// to which -update adds it; what the others have shown stays there.
func (e *Evidence) Part() { e.part = true }

// add enters what a file has.
func (e *Evidence) add(file string) {
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		e.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			e.lines[line] = true
		}
	}
}

// partial reports whether only some of the subtests run.
func partial() bool {
	run, skip := flag.Lookup("test.run"), flag.Lookup("test.skip")
	return strings.Contains(run.Value.String(), "/") || strings.Contains(skip.Value.String(), "/")
}

// Show enters that a task was shown on a system.
func (e *Evidence) Show(system, task string, level Level) {
	e.t.Helper()
	switch {
	case !slices.ContainsFunc(Systems(), func(s System) bool { return s.ID == system }):
		e.t.Errorf("there is no system %q in the support matrix", system)
	case !slices.ContainsFunc(Tasks(), func(t Task) bool { return t.ID == task }):
		e.t.Errorf("there is no task %q in the support matrix", task)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines[fmt.Sprintf("%s: %s: %s\n", system, task, level)] = true
}

// text is the file of the evidence of a test of that package.
func (e *Evidence) text(own string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var lines []string
	for line := range e.lines {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return "# " + filepath.ToSlash(own) + "\n" + strings.Join(lines, "")
}

// Top returns the root of the source tree.
func Top(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatalf("no go.mod above the working directory (%v)", err)
	return ""
}
