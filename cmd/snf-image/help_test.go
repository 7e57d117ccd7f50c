package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestHelpIsGrouped: each flag of the long commands is in a group, and the table stays
// narrow enough to be read.
func TestHelpIsGrouped(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"deploy", "customize"} {
		_, text, _ := commanded(t, t.Context(), strings.NewReader(""), command, "--help")
		for _, g := range flagGroups {
			if !strings.Contains(text, "\n"+g.title+":\n") {
				t.Errorf("help of %s has no group %q:\n%s", command, g.title, text)
			}
		}
		if _, other, ok := strings.Cut(text, "\nOther:\n"); ok {
			other, _, _ = strings.Cut(other, "\n\n")
			if strings.Trim(other, " ") != "-h, --help   help for "+command {
				t.Errorf("flags of %s in no group:\n%s", command, other)
			}
		}
		flag := regexp.MustCompile(`^ +(-h, )?--[a-z-]+( \S+)? {2,}`)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if n := len([]rune(line)); n > helpWidth {
				t.Errorf("help of %s has a line of %d columns: %s", command, n, line)
			}
			if strings.HasPrefix(line, "      --") && len(flag.FindString(line)) > 40 {
				t.Errorf("help of %s pushes descriptions to the right: %s", command, line)
			}
		}
	}
}

// TestHelpShowsAllFlags: none is lost between the groups.
func TestHelpShowsAllFlags(t *testing.T) {
	t.Parallel()
	a := new(app)
	for _, cmd := range a.root().Commands() {
		if cmd.Name() != "deploy" && cmd.Name() != "customize" {
			continue
		}
		text := cmd.UsageString()
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if n := strings.Count(text, "--"+f.Name+" "); !f.Hidden && n == 0 {
				t.Errorf("help of %s does not show --%s", cmd.Name(), f.Name)
			}
		})
	}
}
