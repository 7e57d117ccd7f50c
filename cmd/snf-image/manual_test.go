package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snf-image/tests/golden"
)

// TestManualPages makes the synopsis and the options of each manual page from its program.
// The rest of the pages is written by hand. It comes before the parallel tests, which read
// what it may write.
func TestManualPages(t *testing.T) {
	for page, root := range map[string]*cobra.Command{
		"snf-image.1":               new(app).root(),
		"snf-image-update-helper.8": new(app).updateHelperCommand(),
		"snf-image-create-helper.8": new(app).createHelperCommand(),
	} {
		root.PersistentFlags().AddFlagSet(globalFlags())
		path := "../../docs/man/" + page
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		made, err := fillIn(string(text), synopsis(root), options(root))
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		golden.File(t, path, made)
	}
}

// globalFlags are those that execute adds to every program.
func globalFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("config", "", "configuration `file` (default /etc/default/snf-image, which may be missing)")
	flags.Bool("debug", false, "log what is done in detail")
	return flags
}

// The lines around what is made of the commands.
const (
	madeFrom = ".\\\" Made from the commands by: go test ./cmd/snf-image -run Manual -update\n"
	madeEnd  = ".\\\" End of what is made from the commands\n"
)

// fillIn puts the parts, in order, between the marks of a page.
func fillIn(page string, parts ...string) (string, error) {
	var out strings.Builder
	for _, part := range parts {
		before, rest, ok := strings.Cut(page, madeFrom)
		_, after, end := strings.Cut(rest, madeEnd)
		if !ok || !end {
			return "", fmt.Errorf("it has fewer than %d marks of made parts", len(parts))
		}
		out.WriteString(before + madeFrom + part + madeEnd)
		page = after
	}
	return out.String() + page, nil
}

// leaves returns the commands that do something.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, leaves(sub)...)
		}
	}
	return all
}

func synopsis(root *cobra.Command) string {
	var lines []string
	for _, cmd := range leaves(root) {
		words := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
		lines = append(lines, fmt.Sprintf(".B %s\n%s\n", escaped(cmd.CommandPath()), escaped(strings.TrimSpace(words))))
	}
	return strings.Join(lines, ".br\n")
}

// options lists the flags of every command: those of all, then those of each, and those of
// deploy and customize together and in groups.
func options(root *cobra.Command) string {
	var out strings.Builder
	for _, f := range visible(root.PersistentFlags()) {
		out.WriteString(entry(f, ""))
	}
	out.WriteString(".TP\n.B \\-h\\fR, \\fP\\-\\-help\nPrint help, for every command.\n")
	var deploy, customize *cobra.Command
	for _, cmd := range leaves(root) {
		switch path := cmd.CommandPath(); path {
		case "snf-image deploy":
			deploy = cmd
		case "snf-image customize":
			customize = cmd
		default:
			local := visible(cmd.LocalNonPersistentFlags())
			if len(local) > 0 && cmd != root {
				out.WriteString(".SS " + escaped(strings.TrimPrefix(path, "snf-image ")) + "\n")
			}
			for _, f := range local {
				out.WriteString(entry(f, ""))
			}
		}
	}
	if deploy == nil {
		return out.String()
	}
	return grouped(deploy.LocalNonPersistentFlags(), customize.LocalNonPersistentFlags()) + ".SS every command\n" + out.String()
}

// grouped lists the flags of deploy and customize as their help does.
func grouped(deploy, customize *pflag.FlagSet) string {
	var out strings.Builder
	for _, g := range flagGroups {
		out.WriteString(".SS deploy and customize: " + strings.ToLower(g.title) + "\n")
		for _, name := range g.flags {
			f, other := deploy.Lookup(name), customize.Lookup(name)
			switch {
			case other == nil:
				out.WriteString(entry(f, " (deploy only)"))
			case f == nil:
				out.WriteString(entry(other, " (customize only)"))
			default:
				out.WriteString(entry(f, ""))
			}
		}
	}
	return out.String()
}

// visible returns the flags that help shows, without help itself.
func visible(flags *pflag.FlagSet) []*pflag.Flag {
	var list []*pflag.Flag
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			list = append(list, f)
		}
	})
	return list
}

// entry describes a flag under all of its names.
func entry(f *pflag.Flag, note string) string {
	placeholder, text := pflag.UnquoteUsage(f)
	names := []string{"--" + f.Name}
	if f.Shorthand != "" {
		names = append([]string{"-" + f.Shorthand}, names...)
	}
	for _, other := range slices.Sorted(standFor(f.Name)) {
		names = append(names, "--"+other)
	}
	for i := range names {
		names[i] = `\fB` + escaped(names[i]) + `\fR`
		if placeholder != "" {
			names[i] += ` \fI` + escaped(strings.ToUpper(placeholder)) + `\fR`
		}
	}
	if d := f.DefValue; !slices.Contains([]string{"", "false", "[]"}, d) && !strings.Contains(text, "default") {
		text += " (default " + d + ")"
	}
	return ".TP\n" + strings.Join(names, ", ") + "\n" + sentence(escaped(text+note)) + "\n"
}

// standFor yields the other names of a flag.
func standFor(value string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k, v := range aliases {
			if v == value && !yield(k) {
				return
			}
		}
	}
}

// sentence begins text with a capital and ends it with a full stop, as far as it can.
func sentence(text string) string {
	if first := text[:1]; !strings.HasPrefix(text, "http") {
		text = strings.ToUpper(first) + text[1:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// escaped writes text so that troff takes it as it is.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// TestManualPagesAreWhole has a page refused that lacks a mark.
func TestManualPagesAreWhole(t *testing.T) {
	t.Parallel()
	whole := "a\n" + madeFrom + "old\n" + madeEnd + "b\n"
	if got, err := fillIn(whole, "new\n"); err != nil || got != strings.Replace(whole, "old", "new", 1) {
		t.Errorf("fillIn = %q, %v", got, err)
	}
	if _, err := fillIn(strings.Replace(whole, madeEnd, "", 1), "new\n"); err == nil {
		t.Error("a page without the second mark is accepted")
	}
}
