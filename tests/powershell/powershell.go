// Package powershell parses scripts of PowerShell with the grammar that tree-sitter has of it,
// which npm brings. Nothing is run.
package powershell

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// Errors returns what of a script is not PowerShell. dir is the top of the source tree, where
// the parser is kept in build.
func Errors(t *testing.T, dir string, script []byte) []string {
	t.Helper()
	from, parser := filepath.Join(dir, "tests/powershell"), filepath.Join(dir, "build/powershell")
	check(t, os.MkdirAll(parser, 0o755))
	for _, name := range []string{"package.json", "package-lock.json", "parse.mjs"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(parser, name), data, 0o644))
	}
	if _, err := os.Stat(filepath.Join(parser, "node_modules")); err != nil {
		run(t, parser, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	}
	// The parser is one large function, which node would take minutes to optimize.
	return strings.FieldsFunc(run(t, parser, script, "node", "--liftoff-only", "parse.mjs"), func(r rune) bool { return r == '\n' })
}

// run runs a program in a directory, and returns what it prints.
func run(t *testing.T, dir string, input []byte, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), require.Tool(t, program), args...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(input), os.Stderr
	out, err := cmd.Output()
	check(t, err)
	return string(out)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
