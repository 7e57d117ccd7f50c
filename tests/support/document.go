package support

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The marks between which the tables stand in the document.
const (
	begin = "<!-- matrix: made of tests/support/testdata, see tests/support -->\n"
	end   = "<!-- end of the matrix -->\n"
)

// cell is one place in the matrix.
type cell struct{ system, task string }

// claim is the file of a test.
type claim struct {
	test, dir string
	cells     map[cell]Level
}

// claims reads the files of all tests.
func claims(t testing.TB) []claim {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Top(t), "tests/support/testdata/*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no evidence: %v", err)
	}
	var all []claim
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := claim{test: strings.TrimSuffix(filepath.Base(name), ".txt"), cells: map[cell]Level{}}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if dir, first := strings.CutPrefix(line, "# "); first {
				c.dir = dir
				continue
			}
			words := strings.SplitN(line, ": ", 3)
			if len(words) != 3 || !slices.Contains(levels, Level(words[2])) {
				t.Fatalf("%s: %q is not SYSTEM: TASK: LEVEL", name, line)
			}
			at := cell{words[0], words[1]}
			c.cells[at] = better(c.cells[at], Level(words[2]))
		}
		all = append(all, c)
	}
	return all
}

func better(a, b Level) Level {
	if slices.Index(levels, a) > slices.Index(levels, b) {
		return a
	}
	return b
}

// tables returns the matrix as Markdown, a table for each group.
func tables(all []claim) string {
	best := map[cell]Level{}
	for _, c := range all {
		for at, level := range c.cells {
			best[at] = better(best[at], level)
		}
	}
	var b strings.Builder
	var done []string
	for _, t := range Tasks() {
		if !slices.Contains(done, t.Group) {
			done = append(done, t.Group)
			writeTable(&b, t.Group, best)
		}
	}
	return b.String()
}

func writeTable(b *strings.Builder, group string, best map[cell]Level) {
	var columns []Task
	for _, t := range Tasks() {
		if t.Group == group {
			columns = append(columns, t)
		}
	}
	fmt.Fprintf(b, "\n### %s\n\n| system |", group)
	for _, t := range columns {
		fmt.Fprintf(b, " %s |", t.Title)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, s := range Systems() {
		row, shown := "| "+s.Name+" |", false
		for _, t := range columns {
			level := best[cell{s.ID, t.ID}]
			shown = shown || level != ""
			row += " " + string(level) + " |"
		}
		if shown {
			b.WriteString(strings.ReplaceAll(row, "  |", " |") + "\n")
		}
	}
	b.WriteString("\n")
}
