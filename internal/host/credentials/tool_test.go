package credentials

import (
	"os"
	"strings"
	"testing"

	"snf-image/internal/command"
)

// run runs an independent tool with text on its standard input and returns its
// output. A missing tool is a skip, in strict mode an error.
func run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	if _, err := command.Find(args[0]); err != nil {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := command.Run(t.Context(), command.Cmd{Args: args, Stdin: strings.NewReader(stdin)})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(out), "\n")
}
