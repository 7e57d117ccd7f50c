package layout

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// file is one Go source file as far as the rules look at it.
type file struct {
	name    string // path from the root of the tree
	dir     string // its package's path from the root
	pkg     string
	test    bool
	lines   int
	code    int      // lines that are neither blank nor a comment
	comment bool     // has a package comment
	reason  bool     // its package comment says why the package is large
	long    []string // functions of more than maxFunction lines
	imports []string // import paths
	uses    []string // functions of other packages, as "os.Exit"
	inits   bool     // has a func init
}

// readTree parses every Go file below the root of fsys, whatever its build
// constraints. Directories called testdata or build, or beginning with a dot,
// are left out.
func readTree(fsys fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && skipped(d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		f, err := readFile(fsys, p)
		files = append(files, f)
		return err
	})
	return files, err
}

func skipped(dir string) bool {
	return dir == "testdata" || dir == "build" || strings.HasPrefix(dir, ".")
}

func readFile(fsys fs.FS, name string) (file, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return file{}, err
	}
	positions := token.NewFileSet()
	tree, err := parser.ParseFile(positions, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, fmt.Errorf("parsing %s: %w", name, err)
	}
	f := file{
		name:    name,
		dir:     path.Dir(name),
		pkg:     tree.Name.Name,
		test:    strings.HasSuffix(name, "_test.go"),
		lines:   bytes.Count(src, []byte("\n")),
		comment: tree.Doc != nil && isPackageComment(tree.Doc.Text(), tree.Name.Name),
	}
	f.reason = sizeReason.MatchString(strings.ReplaceAll(tree.Doc.Text(), "\n", " "))
	f.measure(tree, positions, string(src))
	locals := f.addImports(tree)
	ast.Inspect(tree, func(n ast.Node) bool {
		f.addUse(n, locals)
		return true
	})
	return f, nil
}

// measure counts lines of code and finds long functions.
func (f *file) measure(tree *ast.File, positions *token.FileSet, src string) {
	for line := range strings.Lines(src) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			f.code++
		}
	}
	for _, d := range tree.Decls {
		lines := positions.Position(d.End()).Line - positions.Position(d.Pos()).Line + 1
		if fn, ok := d.(*ast.FuncDecl); ok && lines > maxFunction {
			f.long = append(f.long, fmt.Sprintf("%s has %d lines, more than %d", fn.Name.Name, lines, maxFunction))
		}
	}
}

// isPackageComment accepts "Package x" and, for commands, "Command x" or the
// command's name, as go doc does.
func isPackageComment(text, pkg string) bool {
	if pkg == "main" {
		return text != ""
	}
	return strings.HasPrefix(text, "Package "+strings.TrimSuffix(pkg, "_test"))
}

// addImports notes the imports and returns package names as used in the file.
func (f *file) addImports(tree *ast.File) map[string]string {
	locals := map[string]string{}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused such a file before
		}
		f.imports = append(f.imports, p)
		name := path.Base(p)
		if spec.Name != nil {
			locals[spec.Name.Name] = name
			continue
		}
		locals[name] = name
	}
	return locals
}

func (f *file) addUse(n ast.Node, locals map[string]string) {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && locals[x.Name] != "" {
			f.uses = append(f.uses, locals[x.Name]+"."+n.Sel.Name)
		}
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.Name == "init" {
			f.inits = true
		}
	}
}
