// Package systems has trees of what deployments look at in the systems of distributions:
// for each a txtar archive in testdata, made of facts. Its comment is the name of the system
// and then, for each file or all below a directory, a line with the source of what is in it.
//
// A file is "-- PATH [MODE [UID:GID]] --". As content "-> x" is a symbolic link to x, and a
// path that ends in "/" a directory.
package systems

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"snf-image/tests/tree"
)

//go:embed testdata
var testdata embed.FS

// System is the tree of a system.
type System struct {
	ID    string
	Name  string
	Files []File
	// Sources are where the facts come from, by path.
	Sources map[string]string
}

// File is a file of a tree. Link is set for a symbolic link, Dir for a directory.
type File struct {
	Path     string
	Mode     uint32 // 0: 0644
	UID, GID int
	Data     string
	Link     string
	Dir      bool
}

// All returns the systems, by their names.
func All(t testing.TB) []System {
	t.Helper()
	names, err := fs.Glob(testdata, "testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no systems: %v", err)
	}
	var all []System
	for _, name := range names {
		data, err := testdata.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(strings.TrimSuffix(filepath.Base(name), ".txtar"), data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, s)
	}
	return all
}

// Find returns the system of that name.
func Find(t testing.TB, id string) System {
	t.Helper()
	all := All(t)
	n := slices.IndexFunc(all, func(s System) bool { return s.ID == id })
	if n < 0 {
		t.Fatalf("there is no tree of the system %q", id)
	}
	return all[n]
}

func parse(id string, data []byte) (System, error) {
	a := txtar.Parse(data)
	name, lines, _ := strings.Cut(string(a.Comment), "\n")
	s := System{ID: id, Name: name, Sources: map[string]string{}}
	for line := range strings.Lines(lines) {
		if p, source, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			s.Sources[p] = source
		}
	}
	for _, f := range a.Files {
		file, err := parseFile(f)
		if err != nil {
			return s, fmt.Errorf("%s: %w", f.Name, err)
		}
		s.Files = append(s.Files, file)
	}
	return s, nil
}

func parseFile(f txtar.File) (File, error) {
	words := strings.Fields(f.Name)
	out := File{Path: words[0], Data: string(f.Data)}
	if len(words) > 1 {
		mode, err := strconv.ParseUint(words[1], 8, 16)
		if err != nil {
			return out, err
		}
		out.Mode = uint32(mode)
	}
	if len(words) > 2 {
		if _, err := fmt.Sscanf(words[2], "%d:%d", &out.UID, &out.GID); err != nil {
			return out, err
		}
	}
	if target, ok := strings.CutPrefix(out.Data, "-> "); ok {
		out.Link, out.Data = strings.TrimSpace(target), ""
	}
	out.Path, out.Dir = strings.TrimSuffix(out.Path, "/"), strings.HasSuffix(out.Path, "/")
	return out, nil
}

// Make makes the tree in a directory of the test, with further files as tree.New takes
// them; the content "REMOVED" leaves a file out. Owners count where the test may set them.
func (s System) Make(t testing.TB, more map[string]string) tree.Tree {
	t.Helper()
	files := map[string]string{}
	for _, f := range s.Files {
		switch {
		case f.Dir:
			files[f.Path] = "DIR"
		case f.Link != "":
			files[f.Path] = "-> " + f.Link
		default:
			files[f.Path] = f.Data
		}
	}
	for p, content := range more {
		files[p] = content
		if content == "REMOVED" {
			delete(files, p)
		}
	}
	made := tree.New(t, files)
	for _, f := range s.Files {
		if _, other := more[f.Path]; other || f.Link != "" {
			continue
		}
		if err := f.own(filepath.Join(made.Dir, f.Path)); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// own gives a file its owner and mode.
func (f File) own(p string) error {
	if os.Geteuid() == 0 {
		if err := os.Chown(p, f.UID, f.GID); err != nil {
			return err
		}
	}
	if f.Mode == 0 {
		return nil
	}
	return unix.Chmod(p, f.Mode)
}
