package credentials

import (
	"strings"
	"testing"

	"snf-image/tests/require"
)

// run runs an independent tool and returns its output without the last line end.
func run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return strings.TrimSuffix(require.Run(t, stdin, args...), "\n")
}
