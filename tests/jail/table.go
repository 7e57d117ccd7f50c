package jail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// heading begins the table.
const heading = "| attempt |"

// Compare compares what a stand-in could do with a column of the table in docs/security.md,
// which has a row for every attempt and no other.
func Compare(t testing.TB, column string, got map[string]string) {
	t.Helper()
	want := table(t)
	for _, name := range Names() {
		outcome, _, _ := strings.Cut(got[name], " (")
		if want[name] == nil {
			t.Errorf("%s: docs/security.md has no row %q: %s", column, name, got[name])
		} else if cell := want[name][column]; cell != outcome {
			t.Errorf("%s: %s: %s, and docs/security.md has %q", column, name, got[name], cell)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("docs/security.md has a row %q, which nothing tries", name)
	}
}

// table reads the rows, by name, and in each the cells by the name of the column.
func table(t testing.TB) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "security.md")) // from a package of internal/host
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("docs/security.md has no table %s", heading)
	}
	lines := strings.Split(heading+rest, "\n")
	columns := cells(lines[0])
	rows := map[string]map[string]string{}
	for _, line := range lines[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		row := cells(line)
		rows[row[0]] = map[string]string{}
		for i, c := range row {
			rows[row[0]][columns[i]] = c
		}
	}
	return rows
}

func cells(line string) (all []string) {
	for _, c := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|") {
		all = append(all, strings.TrimSpace(c))
	}
	return all
}
