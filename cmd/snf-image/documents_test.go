package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// documented returns every command line of this program that the code blocks of the
// documents show, with the place where it stands. Continued lines are joined.
func documented(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), "")
		for line := range strings.Lines(joined) {
			if m := shownCommand.FindStringSubmatch(line); m != nil {
				found[m[1]] = filepath.Base(file)
			}
		}
	}
	return found
}

// shownCommand matches a command line in a code block, indented or behind a prompt.
var shownCommand = regexp.MustCompile(`^(?: {4,}|\$ |# )(snf-image .*)\n`)

// TestDocumentedCommandLines looks up each command and flag that the documents show:
// an example that does not work is worse than none.
func TestDocumentedCommandLines(t *testing.T) {
	t.Parallel()
	lines := documented(t)
	if len(lines) < 5 {
		t.Fatalf("only %d command lines found in the documents", len(lines))
	}
	for line, file := range lines {
		line, _, _ = strings.Cut(line, " #")
		if err := checkCommandLine(strings.Fields(line)[1:]); err != nil {
			t.Errorf("%s: %s: %v", file, line, err)
		}
	}
}

// checkCommandLine looks up the command that args name, and each of their flags.
func checkCommandLine(args []string) error {
	for i, arg := range args {
		if strings.ContainsAny(arg, "|>;&") { // another program's arguments follow
			args = args[:i]
			break
		}
	}
	cmd, rest, err := wholeProgram().Find(args)
	if err != nil {
		return err
	}
	for _, arg := range rest {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil && name != "help" {
			return fmt.Errorf("no flag --%s", name)
		}
	}
	return nil
}

// wholeProgram returns the root command with the flags of all commands, which execute
// adds.
func wholeProgram() *cobra.Command {
	root := new(app).root()
	root.PersistentFlags().String("config", "", "")
	root.PersistentFlags().Bool("debug", false, "")
	return root
}

// TestManualHasEveryFlag holds the manual page against the commands, both ways.
func TestManualHasEveryFlag(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/man/snf-image.1")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	known := map[string]bool{"help": true}
	for other := range aliases {
		known[other] = true
	}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			known[f.Name] = true
			if f.Name != "help" && !f.Hidden && !regexp.MustCompile(`--`+f.Name+`\b[^-]`).MatchString(page) {
				t.Errorf("%s --%s is not in the manual page", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(wholeProgram())
	for _, m := range regexp.MustCompile(`--([a-z][a-z-]*[a-z])`).FindAllStringSubmatch(page, -1) {
		if !known[m[1]] {
			t.Errorf("the manual page has --%s, which no command has", m[1])
		}
	}
}

// TestExitCodesAreDocumented holds what exitCode returns against both documents.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("exit.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]bool{}
	for _, m := range regexp.MustCompile(`return (\d+)\n`).FindAllStringSubmatch(string(source), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		want[n] = true
	}
	if len(want) < 10 {
		t.Fatalf("found only %d exit codes in exit.go", len(want))
	}
	for file, row := range map[string]string{
		"../../docs/operating.md": `(?m)^\| (\d+) \|`, "../../docs/man/snf-image.1": `(?m)^(\d+)\|`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int]bool{}
		for _, m := range regexp.MustCompile(row).FindAllStringSubmatch(string(text), -1) {
			n, _ := strconv.Atoi(m[1])
			got[n] = true
		}
		for n := range want {
			if !got[n] {
				t.Errorf("%s does not have exit code %d", file, n)
			}
		}
		for n := range got {
			if !want[n] {
				t.Errorf("%s has exit code %d, which no error gets", file, n)
			}
		}
	}
}
