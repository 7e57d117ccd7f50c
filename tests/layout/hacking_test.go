package layout

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestRecipes holds the recipes of HACKING.md against the tree: every file they name is
// there, but for new ones, and no recipe takes more than three files of the product.
func TestRecipes(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	text, err := fs.ReadFile(root, "HACKING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, adding, _ := strings.Cut(string(text), "## Adding a")
	adding, _, _ = strings.Cut(adding, "\n## ")
	recipes := strings.Split(adding, "\n**")[1:]
	if len(recipes) < 5 {
		t.Fatalf("only %d recipes found in HACKING.md", len(recipes))
	}
	for _, recipe := range recipes {
		name, body, _ := strings.Cut(recipe, ".**")
		_, example, ok := strings.Cut(body, "\nExample, ")
		if !ok {
			t.Errorf("%s: no example", name)
		}
		for _, p := range named(body) {
			checkNamed(t, root, name, p)
		}
		if files := named(example); len(files) < 2 || len(files) > 3 {
			t.Errorf("%s: its example takes %v, want two or three files", name, files)
		}
	}
}

// namedPath is the path of a file or directory of the tree in a document.
type namedPath struct {
	name string
	new  bool
}

var quoted = regexp.MustCompile("`((?:cmd|internal|tests|docs|etc)/[^` ]*)`(\\s+\\(new\\))?")

// named returns the paths that a text names.
func named(text string) (paths []namedPath) {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		paths = append(paths, namedPath{m[1], m[2] != ""})
	}
	return paths
}

func checkNamed(t *testing.T, root fs.FS, recipe string, p namedPath) {
	t.Helper()
	_, err := fs.Stat(root, p.name)
	switch {
	case err != nil && !p.new:
		t.Errorf("%s: %v", recipe, err)
	case err == nil && p.new:
		t.Errorf("%s: %s is called new, but exists: take another example", recipe, p.name)
	}
	if dir := p.name[:strings.LastIndexByte(p.name, '/')]; p.new {
		if _, err := fs.Stat(root, dir); err != nil {
			t.Errorf("%s: %v", recipe, err)
		}
	}
}

// TestInternalsHasEveryPackage looks for each package of the product in the table of
// docs/internals.md.
func TestInternalsHasEveryPackage(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	text, err := fs.ReadFile(root, "docs/internals.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, f := range files {
		name := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(f.dir, "internal/"), "host/"), "guest/")
		if !f.test && strings.HasPrefix(f.dir, "internal/") && !strings.Contains(string(text), "`"+name+"`") {
			missing[f.dir] = true
		}
	}
	for dir := range missing {
		t.Errorf("docs/internals.md does not name the package %s", dir)
	}
}
