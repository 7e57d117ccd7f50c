package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"snf-image/tests/golden"

	"github.com/google/go-cmp/cmp"
)

// shipped is the file packages install as DefaultPath.
const shipped = "../../../etc/default/snf-image"

// defaultFile writes the table of settings as a configuration file.
func defaultFile() string {
	var b strings.Builder
	b.WriteString("# Configuration of snf-image: NAME=\"value\" lines as in a shell. Nothing here is\n" +
		"# executed; ${NAME} stands for the value of another name. Every line below shows\n" +
		"# a default.\n")
	for _, s := range Settings() {
		if s.State == Obsolete {
			continue
		}
		note := ""
		if s.State != Used {
			note = " (" + string(s.State) + ")"
		}
		fmt.Fprintf(&b, "\n%s\n#%s=%q\n", wrap(strings.ToUpper(s.Doc[:1])+s.Doc[1:]+".", note), s.Name, s.Default)
	}
	return b.String()
}

// wrap breaks a comment into lines of at most 80 characters.
func wrap(text, note string) string {
	line, out := "#", ""
	for _, word := range strings.Fields(text + note) {
		if len(line)+1+len(word) > 80 {
			out, line = out+line+"\n", "#"
		}
		line += " " + word
	}
	return out + line
}

func TestShippedFileMatchesTable(t *testing.T) {
	t.Parallel()
	golden.File(t, shipped, defaultFile())
}

// TestShippedFileSaysTheDefaults reads the file with every comment mark before
// a setting removed: nothing may change.
func TestShippedFileSaysTheDefaults(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `="`) && !strings.Contains(line, " NAME=") {
			line = strings.TrimPrefix(line, "#")
		}
		lines = append(lines, line)
	}
	got, problems := Parse(shipped, []byte(strings.Join(lines, "")))
	if diff := cmp.Diff(defaults(), got, noOrigins); diff != "" || len(problems) > 0 {
		t.Errorf("the shipped file says %v (-defaults +file):\n%s", problems, diff)
	}
}
