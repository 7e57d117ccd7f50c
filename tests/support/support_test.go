package support

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snf-image/tests/golden"
)

// TestDocument holds the tables of docs/guests.md against the evidence.
func TestDocument(t *testing.T) {
	t.Parallel()
	document := filepath.Join(Top(t), "docs/guests.md")
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the matrix", document)
	}
	golden.File(t, document, head+begin+tables(claims(t))+end+tail)
}

// TestEvidenceIsOfTests looks for the test of each file, which has to collect evidence.
func TestEvidenceIsOfTests(t *testing.T) {
	t.Parallel()
	for _, c := range claims(t) {
		files, err := filepath.Glob(filepath.Join(Top(t), c.dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		function := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(c.test) + `\(`)
		found := false
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found = found || function.Match(text) && bytes.Contains(text, []byte("support.Collect(t)"))
		}
		if !found || len(c.cells) == 0 {
			t.Errorf("%s in %s is not a test that collects evidence, or shows nothing", c.test, c.dir)
		}
	}
}

func TestBetter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want Level }{
		{"", Transcribed, Transcribed}, {Booted, Parser, Booted}, {Transcribed, Parser, Parser},
	} {
		if got := better(c.a, c.b); got != c.want {
			t.Errorf("better(%q, %q) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// TestPart adds to what other runs have shown, and to no file at all.
func TestPart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shown.txt")
	e := &Evidence{t: t, lines: map[string]bool{"void: runit: booted\n": true}}
	e.add(file)
	if err := os.WriteFile(file, []byte("# tests/x\narch: netctl: booted\nvoid: runit: booted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.add(file)
	if got, want := e.text("tests/x"), "# tests/x\narch: netctl: booted\nvoid: runit: booted\n"; got != want {
		t.Errorf("evidence %q, want %q", got, want)
	}
}
