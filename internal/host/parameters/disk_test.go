package parameters

import (
	"os"
	"path/filepath"
	"testing"

	"snf-image/internal/spec"
)

// TestByURI takes the path of a disk only when it leads to one.
func TestByURI(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, uri, want string }{
		{file, "rbd:x", file},
		{filepath.Dir(file), "rbd:x", ""},
		{"/dev/null", "rbd:x", ""},
		{file + ".gone", "rbd:x", ""},
		{file + ".gone", "", file + ".gone"},
	} {
		in := []spec.Disk{{Path: tc.path, URI: tc.uri}}
		if got := ByURI(in); got[0].Path != tc.want || in[0].Path != tc.path {
			t.Errorf("ByURI(%q, %q) = %q, want %q", tc.path, tc.uri, got[0].Path, tc.want)
		}
	}
}
