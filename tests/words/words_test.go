package main

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestWords shows what the list finds, and what it leaves alone.
func TestWords(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"a.go":       {Data: []byte("// it can not be\n// free says whether it is, or if\n\n// the customisation of a recognised system\n")},
		"docs/b.md":  {Data: []byte("It is none of those.\nThe file is no image; there is no image, it is no longer one, and where there are no more.\n")},
		"c.sh":       {Data: []byte("# it says what to do, cannot customize, and mends nothing\n")},
		"build/d.go": {Data: []byte("// can not\n")},
		"e.raw":      {Data: []byte("can not\n")},
	}
	want := []string{
		`a.go:1: "can not": write "cannot"`,
		`a.go:2: "says whether": write "reports whether"`,
		`a.go:4: "customis": write "customize"`,
		`a.go:4: "recognis": write "recognize"`,
		`c.sh:1: "mends": write "fix" or "repair"`,
		`docs/b.md:1: "is none of": negate with "not": "is not one of", "expected one of"`,
		`docs/b.md:2: "file is no image": negate with "not": "is not a"`,
	}
	got, err := check(tree)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("check = %v (-want +got):\n%s", err, diff)
	}
}
