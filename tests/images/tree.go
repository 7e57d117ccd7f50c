package images

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is the content of a file system. Parents that are not listed are made
// with mode 0755.
type Tree []Entry

// Entry is one file. Its kind follows from what is set: a path that ends in "/"
// is a directory; Link is a symbolic link, Hard another name of a file listed
// before; Mode may hold unix.S_IFIFO, S_IFCHR, S_IFBLK or S_IFSOCK.
type Entry struct {
	Path     string
	Mode     uint32 // 0: 0644, directories 0755
	UID, GID int
	Data     string
	Sparse   int64 // a file of that many bytes, all of them a hole
	Link     string
	Hard     string
	Dev      int // of device nodes, as unix.Mkdev makes it
	XAttrs   map[string]string
}

// With returns a copy of the tree in which the entries replace those of the
// same path, or are added.
func (tree Tree) With(entries ...Entry) Tree {
	return append(tree.Without(paths(entries)...), entries...)
}

// Without returns a copy of the tree that lacks the paths.
func (tree Tree) Without(drop ...string) Tree {
	var out Tree
next:
	for _, e := range tree {
		for _, p := range drop {
			if strings.Trim(e.Path, "/") == strings.Trim(p, "/") {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

func paths(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Path)
	}
	return out
}

// made is the time stamp of every file, so that equal trees make equal images.
var made = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// stage lays the tree out below dir.
func (tree Tree) stage(t testing.TB, dir string) {
	t.Helper()
	for _, e := range tree {
		if err := e.stage(dir); err != nil {
			t.Fatalf("staging %s: %v", e.Path, err)
		}
	}
}

func (e Entry) stage(dir string) error {
	path := filepath.Join(dir, e.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := e.create(dir, path); err != nil {
		return err
	}
	if e.Hard != "" {
		return nil
	}
	if err := os.Lchown(path, e.UID, e.GID); err != nil {
		return err
	}
	if e.Link != "" {
		return nil
	}
	if err := unix.Chmod(path, e.permissions()); err != nil {
		return err
	}
	for name, value := range e.XAttrs {
		if err := unix.Lsetxattr(path, name, []byte(value), 0); err != nil {
			return &os.PathError{Op: "setxattr " + name, Path: e.Path, Err: err}
		}
	}
	if e.XAttrs[reparseData] != "" {
		return nil // it is another kind of file now
	}
	return os.Chtimes(path, made, made)
}

func (e Entry) create(dir, path string) error {
	switch {
	case strings.HasSuffix(e.Path, "/"):
		return os.MkdirAll(path, 0o755)
	case e.Link != "":
		return os.Symlink(e.Link, path)
	case e.Hard != "":
		return os.Link(filepath.Join(dir, e.Hard), path)
	case e.Mode&unix.S_IFMT != 0:
		return unix.Mknod(path, e.Mode, e.Dev)
	case e.Sparse > 0:
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		return os.Truncate(path, e.Sparse)
	default:
		return os.WriteFile(path, []byte(e.Data), 0o600)
	}
}

func (e Entry) permissions() uint32 {
	switch {
	case e.Mode != 0:
		return e.Mode &^ unix.S_IFMT
	case strings.HasSuffix(e.Path, "/"):
		return 0o755
	default:
		return 0o644
	}
}

// run runs a tool and fails the test with its output when it fails.
func run(t testing.TB, stdin io.Reader, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdin = stdin
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out.String())
	}
}
