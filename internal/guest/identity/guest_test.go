package identity

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

// newGuest makes a tree of files, as tree.New describes them.
func newGuest(t *testing.T, files map[string]string) guest {
	t.Helper()
	made := tree.New(t, files)
	var warnings []string
	return guest{
		Guest: system.Guest{
			Root:      open(t, made),
			Unmounted: func(string) string { return "" },
			Warn:      func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
			Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		},
		Tree:     made,
		warnings: &warnings,
	}
}

func open(t *testing.T, made tree.Tree) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(made.Dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	return root
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
