package account

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/tests/tree"
)

// guest is a Guest on a tree instead of a mounted image.
type guest struct {
	system.Guest
	tree.Tree
	warnings *[]string
}

// newGuest makes a guest of a tree.
func newGuest(t *testing.T, made tree.Tree) guest {
	t.Helper()
	root, err := rootfs.Open(made.Dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	var warnings []string
	return guest{
		Guest: system.Guest{
			Root:      root,
			Unmounted: func(string) string { return "" },
			Warn:      func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
			Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		},
		Tree:     made,
		warnings: &warnings,
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants compares an error with a part of its text; "" means none.
func wants(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// line returns the line of a file that begins with a name.
func (g guest) line(t *testing.T, p, name string) string {
	t.Helper()
	for line := range strings.Lines(g.Content(t, p)) {
		if strings.HasPrefix(line, name+":") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
