// Package secrets looks for secrets wherever a running program shows something to
// others: in the arguments and environments of all processes, in temporary files,
// in logs and reports.
//
// A Search is given secrets and decoys alike and does not know which is which:
// that it finds each decoy, in the place where it was planted, shows that it would
// have found a secret there.
//
// Processes are looked at every few milliseconds; one that lives shorter may be
// missed. Files are not: the kernel hands over each one that was written and closed
// (fanotify(7)), also when it has been removed meanwhile. It does so for all of a file
// system, so a search has each file there open for a moment. What is overwritten before
// the file is closed, and what lies behind the first 16 MiB of a file, is not seen.
package secrets

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The places a Search looks at by itself.
const (
	Arguments   = "arguments"
	Environment = "environment"
	Temporary   = "temporary file"
)

// Search looks for texts until it is ended.
type Search struct {
	Options
	t     testing.TB
	stop  chan struct{}
	watch sync.WaitGroup

	mu    sync.Mutex
	found map[Finding]bool
	seen  map[string]bool // command lines
}

// Options say what to look for and where.
type Options struct {
	// Texts are what to look for, by name.
	Texts map[string]string
	// Handover are the exact argument vectors of processes whose environment is
	// not searched: those a secret is handed to in it. Their arguments are, and
	// what they start has other arguments.
	Handover [][]string
	// Dirs is where temporary files are looked for, Except where not; the longer
	// path decides. Without Dirs no privilege is needed.
	Dirs, Except []string
	// Roots are the root directories to see Dirs in, the own one when empty:
	// /proc/PID/root is that of a mount namespace.
	Roots []string
}

// Finding is a place where one of the texts was.
type Finding struct {
	Place string
	Text  string // its name
	Where string
}

// Dirs are the usual ones for temporary files.
func Dirs() []string { return []string{"/tmp", "/var/tmp", "/run", "/dev/shm"} }

// Unique returns a text that is nowhere else and begins with what it is.
func Unique(what string) string { return what + "-" + strings.ToLower(rand.Text()) }

// Begin starts a search. The test must End it.
func Begin(t testing.TB, o Options) *Search {
	t.Helper()
	s := &Search{Options: o, t: t, stop: make(chan struct{}), found: map[Finding]bool{}, seen: map[string]bool{}}
	if len(o.Dirs) > 0 {
		w, err := s.openWritten()
		if err != nil {
			t.Fatal(err)
		}
		s.watch.Go(func() { w.follow(s.stop) })
	}
	s.watch.Go(s.pollProcesses)
	t.Cleanup(s.End)
	return s
}

// End is called when everything has happened.
func (s *Search) End() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.watch.Wait()
}

// Found returns what was found so far, sorted.
func (s *Search) Found() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Finding
	for f := range s.found {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// String names the finding for a message.
func (f Finding) String() string { return f.Place + ": " + f.Text + ", in " + f.Where }

// Check fails the test unless exactly these were found: "PLACE: NAME" for each text
// and each place it was in, once.
func (s *Search) Check(want []string) {
	s.t.Helper()
	var got []string
	details := ""
	for _, f := range s.Found() {
		got = append(got, f.Place+": "+f.Text)
		details += fmt.Sprintf("%.1000s\n", f)
	}
	if d := cmp.Diff(sorted(want), sorted(got)); d != "" {
		s.t.Errorf("found (-want +got):\n%s\n%s", d, details)
	}
}

// sorted returns the different ones of names in order.
func sorted(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// Saw reports whether a process had text in its command line.
func (s *Search) Saw(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range s.seen {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
