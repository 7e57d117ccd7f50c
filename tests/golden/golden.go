// Package golden compares what code makes with files of the tree: one txtar archive for each
// case, or a whole file. With the flag -update the tests that use it rewrite these files.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected output")

// Cases runs f for each archive that the pattern finds, as a test of its own. The archive's
// comment and first file are the input of f, its other files are what f has to return. It is
// an error when there is no case.
func Cases(t *testing.T, pattern string, f func(t *testing.T, comment, input string) []txtar.File) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil || len(a.Files) == 0 {
				t.Fatalf("%s: no input, %v", file, err)
			}
			got := f(t, strings.TrimSpace(string(a.Comment)), string(a.Files[0].Data))
			if diff := cmp.Diff(text(a.Files[1:]), text(got)); diff == "" {
				return
			} else if !*update {
				t.Errorf("%s (-want +got):\n%s", file, diff)
				return
			}
			a.Files = append(a.Files[:1:1], got...)
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Result returns what a function has returned as one file of a case: "want", or "error"
// when it failed.
func Result(got []byte, err error) []txtar.File {
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	return []txtar.File{{Name: "want", Data: got}}
}

// File compares the file at path, which is made of the code, with what it should be.
func File(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	switch diff := cmp.Diff(want, string(got)); {
	case diff == "":
	case !*update:
		t.Errorf("%s differs from what the code makes, run the test with -update (-code +file):\n%s", path, diff)
	default:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func text(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }
