package ownership

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCheck makes trees with one thing wrong in each.
func TestCheck(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		if err := Check(t.TempDir()); err != nil {
			t.Errorf("a user's own directory: %v", err)
		}
		return
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	make := func(name string) string {
		dir := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(dir+"/sub", 0o755), os.WriteFile(dir+"/sub/file", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, tc := range []struct {
		name  string
		spoil func(dir string) error
		path  string // below dir
		want  string
	}{
		{"sound", func(string) error { return nil }, "sub/file", ""},
		{"directory", func(string) error { return nil }, "sub/", ""},
		{"file for everybody", func(d string) error { return os.Chmod(d+"/sub/file", 0o666) }, "sub/file", "sub/file has mode 0666"},
		{"file of a group", func(d string) error {
			return errors.Join(os.Chown(d+"/sub/file", 0, 7), os.Chmod(d+"/sub/file", 0o664))
		}, "sub/file", "mode 0664, group 7"},
		{"file of root's group", func(d string) error { return os.Chmod(d+"/sub/file", 0o664) }, "sub/file", ""},
		{"file of somebody", func(d string) error { return os.Chown(d+"/sub/file", 1000, 0) }, "sub/file", "sub/file belongs to uid 1000"},
		{"directory of somebody", func(d string) error { return os.Chown(d+"/sub", 1000, 0) }, "sub/file", "sub belongs to uid 1000"},
		{"directory for everybody", func(d string) error { return os.Chmod(d+"/sub", 0o777) }, "sub/file", "sub has mode 0777"},
		{"sticky on the way", func(d string) error { return os.Chmod(d+"/sub", 0o777|fs.ModeSticky) }, "sub/file", ""},
		{"sticky at the end", func(d string) error { return os.Chmod(d+"/sub", 0o777|fs.ModeSticky) }, "sub", "sub has mode 1777"},
		{"link of root's", func(d string) error { return os.Symlink("sub/file", d+"/link") }, "link", ""},
		{"link of somebody", func(d string) error {
			return errors.Join(os.Symlink("sub/file", d+"/link"), os.Lchown(d+"/link", 1000, 0))
		}, "link", "link belongs to uid 1000"},
		{"link to what is somebody's", func(d string) error {
			return errors.Join(os.Symlink(d+"/sub/../sub/file", d+"/link"), os.Chown(d+"/sub", 1000, 0))
		}, "link", "sub belongs to uid 1000"},
		{"up from where a link leads", func(d string) error {
			return errors.Join(os.MkdirAll(d+"/a/b", 0o755), os.Symlink("a/b", d+"/link"), os.WriteFile(d+"/a/file", nil, 0o666), os.Chmod(d+"/a/file", 0o666))
		}, "link/../file", "a/file has mode 0666"},
		{"ring of links", func(d string) error { return os.Symlink("link", d+"/link") }, "link", "too many levels"},
		{"not there", func(string) error { return nil }, "gone/file", "no such file"},
	} {
		dir := make(strings.ReplaceAll(tc.name, " ", "-"))
		if err := tc.spoil(dir); err != nil {
			t.Fatal(err)
		}
		err := Check(dir + "/" + tc.path)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if others := tc.name != "not there" && tc.name != "ring of links" && tc.want != ""; errors.Is(err, ErrOthers) != others {
			t.Errorf("%s: %v, ErrOthers is %v", tc.name, err, !others)
		}
	}
	if err := Check(top + "/gone"); !errors.Is(err, unix.ENOENT) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := MakeDir(top+"/directory-for-everybody/sub/new", 0o700); !errors.Is(err, ErrOthers) {
		t.Errorf("a directory where others may write: %v", err)
	}
	if err := MakeDir(top+"/sound/new/one", 0o700); err != nil {
		t.Errorf("a directory of root's: %v", err)
	}
	if _, err := os.Lstat(top + "/directory-for-everybody/sub/new"); err == nil {
		t.Error("a directory was made before it was refused")
	}
	if err := errors.Join(Check("/dev/fd/9"), Check("/dev/null")); err != nil {
		t.Errorf("a descriptor of the caller: %v", err)
	}
	if err := Check("/dev/fd/../../.." + top + "/file-for-everybody/sub/file"); !errors.Is(err, ErrOthers) {
		t.Errorf("a path that only begins as one: %v", err)
	}
}

// TestACL finds a writer that only an access control list names.
func TestACL(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// acl_ea.h: version 2, then tag, permissions and id of each entry: user::rw-,
	// user:1000:rw-, group::r--, mask::rw-, other::r--.
	acl := []byte{
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
		16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255,
	}
	if err := unix.Setxattr(path, "system.posix_acl_access", acl, 0); err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Logf("the file system of %s has no access control lists", path)
			return
		}
		t.Fatal(err)
	}
	if err := Check(path); !errors.Is(err, ErrOthers) {
		t.Errorf("Check = %v, want %v", err, ErrOthers)
	}
}
