package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// promised reads the names of testdata/interface.txt by section.
func promised(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/interface.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections, section := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutSuffix(line, ":"); ok {
			section = title
		} else if !strings.HasPrefix(line, "#") {
			sections[section] = append(sections[section], strings.Fields(line)...)
		}
	}
	delete(sections, "")
	return sections
}

// documented reads the names that have a row in the reference, by section.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	sections, section := map[string][]string{}, ""
	cell := regexp.MustCompile("^\\|(?: \\d+ \\|)? `([^`]+)` \\|.* \\| [^|]+ \\|$")
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(title)
		} else if m := cell.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			sections[section] = append(sections[section], m[1])
		}
	}
	return sections
}

// TestReferenceHasTheInterface compares the names that have a row, with a state
// in its last column, with those that were promised: none is missing and none
// was made up.
func TestReferenceHasTheInterface(t *testing.T) {
	t.Parallel()
	want, got := promised(t), documented(t)
	for _, sections := range []map[string][]string{want, got} {
		for _, names := range sections {
			slices.Sort(names)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s and testdata/interface.txt differ (-promised +documented):\n%s", reference, diff)
	}
}
