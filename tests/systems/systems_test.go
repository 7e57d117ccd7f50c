package systems

import (
	"strings"
	"testing"

	"snf-image/tests/support"
)

// TestSources has a source for every file, and a row in the matrix for every system.
func TestSources(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range support.Systems() {
		known[s.ID] = true
	}
	for _, s := range All(t) {
		if !known[s.ID] || s.Name == "" {
			t.Errorf("%s: not a system of the matrix, or without a name", s.ID)
		}
		for p := range s.Sources {
			if !s.uses(p) {
				t.Errorf("%s: a source of %s, which is not there", s.ID, p)
			}
		}
		for _, f := range s.Files {
			if s.source(f.Path) == "" {
				t.Errorf("%s: %s has no source", s.ID, f.Path)
			}
		}
	}
}

// source returns where a file, or the nearest directory above it, has its facts from.
func (s System) source(p string) string {
	for ; p != ""; p = p[:max(strings.LastIndexByte(p, '/'), 0)] {
		if source := s.Sources[p]; source != "" {
			return source
		}
	}
	return s.Sources["/"]
}

func (s System) uses(p string) bool {
	for _, f := range s.Files {
		if p == "/" || f.Path == p || strings.HasPrefix(f.Path, p+"/") {
			return true
		}
	}
	return false
}
