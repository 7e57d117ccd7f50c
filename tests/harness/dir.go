package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Keep reports whether the files of the tests stay, for a failed run to be
// repeated (SNF_KEEP=1).
func Keep() bool { return os.Getenv("SNF_KEEP") == "1" }

// Dir returns an empty directory for the files of the test. With SNF_KEEP=1 it
// lies in build/test/keep and stays, so that a failed run can be repeated.
func Dir(t testing.TB) string {
	t.Helper()
	if !Keep() {
		return t.TempDir()
	}
	top, err := Top()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, "build/test/keep", strings.ReplaceAll(t.Name(), "/", "."))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// File writes a file into dir and returns its path.
func File(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
