package oracle

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/tests/tree"
)

// Tree describes every file of a file system by one line: kind, mode, owner,
// group, extended attributes, and content, target or device number.
type Tree map[string]string

// ReadTree describes the file system in partition n of disk.
func ReadTree(t testing.TB, disk string, n int) Tree {
	t.Helper()
	var tree Tree
	Mounted(t, disk, n, func(dir string) {
		var err error
		if tree, err = readTree(dir); err != nil {
			t.Fatalf("reading partition %d of %s: %v", n, disk, err)
		}
	})
	return tree
}

func readTree(dir string) (Tree, error) {
	tree := Tree{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line, err := describe(path)
		tree["/"+strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")] = line
		return err
	})
	return tree, err
}

func describe(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	attributes, err := xattrs(path)
	if err != nil {
		return "", err
	}
	content, err := contentOf(path, &st)
	return fmt.Sprintf("%o %d:%d links=%d%s %s", st.Mode, st.Uid, st.Gid, links(&st), attributes, content), err
}

// links is the number of names of a file; of a directory it only counts its
// subdirectories.
func links(st *unix.Stat_t) int {
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return 0
	}
	return int(st.Nlink)
}

func contentOf(path string, st *unix.Stat_t) (string, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		h := sha256.New()
		n, err := io.Copy(h, f)
		return fmt.Sprintf("%d bytes %x", n, h.Sum(nil)), err
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return "-> " + target, err
	case unix.S_IFCHR, unix.S_IFBLK:
		return fmt.Sprintf("device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), nil
	}
	return "", nil
}

// xattrs lists the extended attributes of a file, sorted.
func xattrs(path string) (string, error) {
	list := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return "", &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	names := strings.FieldsFunc(string(list[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		value := make([]byte, 1<<16)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		fmt.Fprintf(&b, " %s=%x", name, value[:n])
	}
	return b.String(), nil
}

// Changed returns the paths that differ between two trees, as tree.Differing does.
func Changed(before, after Tree) []string { return tree.Differing(before, after) }
