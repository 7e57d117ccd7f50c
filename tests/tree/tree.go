// Package tree makes directory trees that stand for the mounted image of a guest, and
// looks at what became of them. Beside a tree lies a directory that stands for the
// helper and must stay as it is.
package tree

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Tree is a directory of a test.
type Tree struct{ Dir string }

// New makes a tree of files. As content "-> x" makes a symbolic link to x, "FIFO" a
// FIFO, "DIR" a directory, "OPEN" one that all may write, "ZERO" a device that never
// ends, and "EXEC " begins one of a file that may be run. OUTSIDE in a target is the directory beside the tree.
func New(t testing.TB, files map[string]string) Tree {
	t.Helper()
	top := t.TempDir()
	tree, outside := Tree{filepath.Join(top, "image")}, filepath.Join(top, "outside")
	check(t, os.Mkdir(tree.Dir, 0o755))
	check(t, os.Mkdir(outside, 0o755))
	for _, name := range []string{"canary", "shadow", "authorized_keys"} {
		check(t, os.WriteFile(filepath.Join(outside, name), []byte("root:canary:1\n"), 0o644))
	}
	before := Tree{outside}.Snapshot(t)
	for p, content := range files {
		makeFile(t, filepath.Join(tree.Dir, p), strings.ReplaceAll(content, "OUTSIDE", outside))
	}
	t.Cleanup(func() {
		if diff := cmp.Diff(before, Tree{outside}.Snapshot(t)); diff != "" {
			t.Errorf("outside of the image (-before +after):\n%s", diff)
		}
	})
	return tree
}

func makeFile(t testing.TB, p, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(p), 0o755))
	target, isLink := strings.CutPrefix(content, "-> ")
	switch {
	case isLink:
		check(t, os.Symlink(target, p))
	case content == "FIFO":
		check(t, unix.Mkfifo(p, 0o644))
	case content == "DIR":
		check(t, os.MkdirAll(p, 0o755))
	case content == "OPEN":
		check(t, os.MkdirAll(p, 0o755))
		check(t, os.Chmod(p, 0o777))
	case content == "ZERO":
		if err := unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
			t.Skipf("no device nodes here: %v", err)
		}
	default:
		// It may be run. A child that another test forks while the file is open for
		// writing holds it open until it executes something else: "text file busy".
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		program, isProgram := strings.CutPrefix(content, "EXEC ")
		check(t, os.WriteFile(p, []byte(program), 0o644))
		if isProgram {
			check(t, os.Chmod(p, 0o755))
		}
	}
}

// Snapshot describes every file by type, mode, content and target.
func (tree Tree) Snapshot(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	check(t, filepath.WalkDir(tree.Dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += " " + string(data)
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			text += " " + target
		}
		rel, err := filepath.Rel(tree.Dir, p)
		out["/"+rel] = text
		return err
	}))
	return out
}

// Differing returns the paths that differ between two snapshots, each with a letter: "+" new,
// "-" gone, "!" changed; sorted by path.
func Differing(before, after map[string]string) []string {
	var found []string
	for p, text := range after {
		old, ok := before[p]
		switch {
		case !ok:
			found = append(found, "+ "+p)
		case old != text:
			found = append(found, "! "+p)
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			found = append(found, "- "+p)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return found
}

// Content returns the content of a file.
func (tree Tree) Content(t testing.TB, p string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tree.Dir, p))
	check(t, err)
	return string(data)
}

// Owned returns mode and owner of a file.
func (tree Tree) Owned(t testing.TB, p string) (mode fs.FileMode, uid, gid int) {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Lstat(filepath.Join(tree.Dir, p), &st))
	return fs.FileMode(st.Mode & 0o7777), int(st.Uid), int(st.Gid)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
