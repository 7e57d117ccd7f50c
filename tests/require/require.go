// Package require finds the programs of this machine that tests compare our own work with.
// Without one the test is skipped, which is a failure in strict mode (SNF_STRICT=1), as in
// `make test`.
package require

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Tool returns the path of a program.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, err)
	}
	return path
}

// Missing skips the test because this machine lacks something, or fails in strict mode.
func Missing(t testing.TB, lacks any) {
	t.Helper()
	if os.Getenv("SNF_STRICT") == "1" {
		t.Fatal(lacks)
	}
	t.Skip(lacks)
}

// Run runs a program with a text on its standard input, and returns what it printed. The
// test fails when the program does.
func Run(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Tool(t, args[0]), args[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}
