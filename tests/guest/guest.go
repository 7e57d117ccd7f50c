// Package guest gives the tests of packages that work on a guest a tree of files in the place
// of a mounted image.
package guest

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

// Guest is a guest on a tree, and what was warned of.
type Guest struct {
	system.Guest
	tree.Tree
	Warnings *[]string
}

// New makes a guest of files, as tree.New describes them.
func New(t testing.TB, files map[string]string) Guest {
	t.Helper()
	return On(t, tree.New(t, files))
}

// On makes a guest of a tree.
func On(t testing.TB, made tree.Tree) Guest {
	t.Helper()
	var warnings []string
	return Guest{
		Guest: system.Guest{
			Root:      Open(t, made),
			Unmounted: func(string) string { return "" },
			Warn:      func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
			Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		},
		Tree:     made,
		Warnings: &warnings,
	}
}

// Image is the root of a guest of files.
func Image(t testing.TB, files map[string]string) *rootfs.Root {
	t.Helper()
	return Open(t, tree.New(t, files))
}

// Open opens a tree as the root of a guest.
func Open(t testing.TB, made tree.Tree) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(made.Dir)
	Check(t, err)
	t.Cleanup(func() { Check(t, root.Close()) })
	return root
}

// Check ends the test with an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Wants compares an error with a part of its text; "" means that there is none.
func Wants(t testing.TB, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}
