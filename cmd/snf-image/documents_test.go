package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"snf-image/internal/host/values"
	"snf-image/tests/require"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// block is a fenced code block of a document.
type block struct{ file, language, text string }

// fence matches a fenced code block.
var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blocks returns the code blocks of all documents.
func blocks(t *testing.T) []block {
	t.Helper()
	var found []block
	for _, pattern := range []string{"../../docs/*.md", "../../*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "\n\n    ") {
				t.Errorf("%s: a code block without a fence, which nothing checks", file)
			}
			for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
				found = append(found, block{filepath.Base(file), m[1], m[2]})
			}
		}
	}
	return found
}

// documented returns every command line that the code blocks of the documents show, with
// the place where it stands. Continued lines are joined, comments left out.
func documented(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, b := range blocks(t) {
		joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(b.text, "")
		for line := range strings.Lines(joined) {
			line, prompt := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
			line, _, _ = strings.Cut(line, " #")
			if b.language == "sh" || b.language == "console" && prompt {
				found[strings.TrimSpace(line)] = b.file
			}
		}
	}
	return found
}

// TestCodeBlocks checks the syntax of each code block, as far as its language has one.
func TestCodeBlocks(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t) {
		switch b.language {
		case "sh":
			require.Run(t, b.text, "bash", "-n")
		case "json":
			if !json.Valid([]byte(b.text)) {
				t.Errorf("%s: not JSON:\n%s", b.file, b.text)
			}
		case "console":
			if !strings.HasPrefix(b.text, "$ ") {
				t.Errorf("%s: a console without a prompt:\n%s", b.file, b.text)
			}
		case "text":
			for line := range strings.Lines(b.text) {
				flag, ok := strings.CutPrefix(strings.TrimSpace(line), "--nic ")
				if _, err := values.ParseNIC(strings.Trim(flag, `"`)); ok && flag != values.NoNIC && err != nil {
					t.Errorf("%s: %s: %v", b.file, line, err)
				}
			}
		default:
			t.Errorf("%s: a code block in %q, want sh, console, json or text", b.file, b.language)
		}
	}
}

// TestDocumentedVerbs looks up each verb of make and each script that the documents show, in
// code blocks and in sentences.
func TestDocumentedVerbs(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("../../docs/*.md")
	more, _ := filepath.Glob("../../*.md")
	shown := 0
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`|^\\$ )(make ([a-z-]+)|(scripts/[a-z-]+\\.sh))").FindAllStringSubmatch(string(text), -1) {
			shown++
			if m[2] != "" && !strings.Contains(string(makefile), "\n"+m[2]+":") {
				t.Errorf("%s shows %q, which the Makefile does not have", file, m[1])
			}
			if _, err := os.Stat("../../" + m[3]); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if shown < 10 {
		t.Errorf("only %d verbs found in the documents", shown)
	}
}

// TestDocumentedCommandLines looks up each command and flag that the documents show:
// an example that does not work is worse than none.
func TestDocumentedCommandLines(t *testing.T) {
	t.Parallel()
	lines := documented(t)
	if len(lines) < 5 {
		t.Fatalf("only %d command lines found in the documents", len(lines))
	}
	for line, file := range lines {
		if !strings.HasPrefix(line, "snf-image ") {
			continue
		}
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
