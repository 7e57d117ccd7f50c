package layout

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestText finds what a test or a download left in the tree, before somebody commits it: all
// files of it are text but the samples in testdata.
func TestText(t *testing.T) {
	t.Parallel()
	made := []string{".git", "bin", "build", "dist"}
	n := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(made, path) || d.Name() == "testdata"):
			return fs.SkipDir
		case path == "internal/host/bootrecord/code/mbr.bin": // which bootrecord compares with its source
			return nil
		case !d.Type().IsRegular() || slices.Contains([]string{".test", ".prof"}, filepath.Ext(path)):
			return nil
		}
		n++
		b, err := os.ReadFile(filepath.Join("../..", path))
		if bytes.ContainsRune(b, 0) {
			t.Errorf("%s is not text", path)
		}
		return err
	})
	if err != nil || n < 100 {
		t.Errorf("%d files, %v", n, err)
	}
}
