package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// give makes a directory of the image somebody's, without the code under test.
func (i image) give(t *testing.T, p string, mode uint32, uid, gid int) {
	t.Helper()
	p = filepath.Join(i.dir, p)
	must(t, os.MkdirAll(p, 0o755))
	must(t, os.Lchown(p, uid, gid))
	must(t, unix.Chmod(p, mode))
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
}

// TestWritesGoThroughNoLinkOfOthers tries every way to write through a link in
// a directory of somebody else's, and through the same link in one of root's.
func TestWritesGoThroughNoLinkOfOthers(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for name, write := range map[string]func(i image, dir string) error{
		"WriteFile": func(i image, dir string) error { return i.WriteFile(dir+"/to/new", nil, Attr{}) },
		"Edit": func(i image, dir string) error {
			return i.Edit(dir+"/to/file", func([]byte) ([]byte, error) { return []byte("x"), nil })
		},
		"Edit a link": func(i image, dir string) error {
			return i.Edit(dir+"/link", func([]byte) ([]byte, error) { return []byte("x"), nil })
		},
		"Remove":      func(i image, dir string) error { return i.Remove(dir + "/to/file") },
		"Symlink":     func(i image, dir string) error { return i.Symlink("x", dir+"/to/new") },
		"MkdirAll":    func(i image, dir string) error { _, err := i.MkdirAll(dir+"/to/a/b", Attr{Mode: 0o755}); return err },
		"Rename":      func(i image, dir string) error { return i.Rename(dir+"/to/file", "/etc/x") },
		"Rename onto": func(i image, dir string) error { return i.Rename("/etc/mine", dir+"/to/file") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				mode     uint32
				uid, gid int
				safe     bool
			}{
				{0o755, 0, 0, true},
				{0o775, 0, 0, true},
				{0o755, 0, 50, true},
				{0o1777, 0, 0, false},
				{0o775, 0, 50, false},
				{0o700, 1000, 0, false},
			} {
				i := newImage(t)
				i.put(t, "real/file", "old")
				i.put(t, "etc/mine", "old")
				i.link(t, "/real", "d/to")
				i.link(t, "../real/file", "d/link")
				i.give(t, "d", c.mode, c.uid, c.gid)
				err := write(i, "/d")
				_, unsafe := errors.AsType[*UnsafeError](err)
				if c.safe && err != nil || !c.safe && (!unsafe || len(i.Changed()) > 0) {
					t.Errorf("in a directory %o of %d:%d: %v, changed %v", c.mode, c.uid, c.gid, err, i.Changed())
				}
				if !c.safe && (err == nil || !strings.Contains(err.Error(), "below /d, which others than root can write")) {
					t.Errorf("error %v names no link", err)
				}
			}
		})
	}
}

// TestViewsJudgeOwners looks at the same places for several accounts.
func TestViewsJudgeOwners(t *testing.T) {
	t.Parallel()
	asRoot(t)
	i := newImage(t)
	i.give(t, "home/ann", 0o700, 1000, 1000)
	i.give(t, "home/ann/roots", 0o755, 0, 0)
	i.give(t, "home/ann/bobs", 0o755, 1001, 1001)
	i.give(t, "tmp", 0o1777, 0, 0)
	i.give(t, "tmp/bobs", 0o755, 1001, 1001)
	i.give(t, "srv/listed", 0o775, 0, 0)
	// user::rwx, user:1000:rwx, group::r-x, mask::rwx, other::r-x as in
	// linux/posix_acl_xattr.h.
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\xe8\x03\x00\x00" +
		"\x04\x00\x05\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x05\x00\xff\xff\xff\xff"
	must(t, unix.Setxattr(filepath.Join(i.dir, "srv/listed"), "system.posix_acl_access", []byte(acl), 0))
	i.link(t, "/etc", "srv/listed/to")
	ann, bob := 1000, 1001
	for _, c := range []struct {
		view View
		path string
		want string // of the error
	}{
		{i.Only(ann), "/home/ann/x", ""},
		{i.Only(ann), "/home/ann/roots/x", ""},
		{i.Only(ann), "/home/ann/bobs/x", "/home/ann/bobs belongs to uid 1001, neither to root nor to uid 1000, below /home/ann, which"},
		{i.Only(bob), "/home/ann/x", "/home/ann belongs to uid 1000, neither to root nor to uid 1001"},
		{i.Only(0), "/home/ann/x", "/home/ann belongs to uid 1000, not to root"},
		{i.Only(ann, bob), "/home/ann/bobs/x", ""},
		{i.For(0), "/home/ann/x", ""},
		{i.For(0), "/home/ann/bobs/x", "belongs to uid 1001"},
		{i.For(bob), "/home/ann/bobs/x", ""},
		{i.For(0), "/tmp/x", ""},
		{i.For(0), "/tmp/bobs/x", "/tmp/bobs belongs to uid 1001"},
		{i.For(bob), "/tmp/bobs/x", ""},
		{i.For(0), "/home/ann/../../tmp/bobs/x", "/tmp/bobs belongs to uid 1001"},
		{i.For(0), "/home/ann/../../etc/x", ""},
	} {
		_, err := c.view.Find(c.path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("Find(%q) for %v = %v, want %q", c.path, c.view.users, err, c.want)
		}
	}
	if err := i.WriteFile("/srv/listed/to/x", nil, Attr{}); err == nil {
		t.Error("a directory that an access control list opens is taken for root's alone")
	}
	i.link(t, "/etc", "roots/d")
	if _, err := i.Only(0).Find("/roots/d/x"); err != nil {
		t.Errorf("a link of root's: %v", err)
	}
	for _, home := range []string{"/roots", "/roots/", "/"} {
		_, err := i.Only(0).Below(home).Find("/roots/d/x")
		if err == nil || !strings.Contains(err.Error(), `/roots/d is a symbolic link, to "/etc", below `+home) || !strings.Contains(err.Error(), "where no link is followed") {
			t.Errorf("a link below %s: %v", home, err)
		}
	}
	if _, err := i.Only(0).Below("/roots/d").Find("/roots/d/x"); err != nil {
		t.Errorf("a home that is a link: %v", err)
	}
}

// TestWalkEnds gives a walk no end by itself.
func TestWalkEnds(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.link(t, "loop/x", "loop")
	i.link(t, strings.Repeat("d/../", 600)+"d", "long")
	i.link(t, ".", "self")
	must(t, os.MkdirAll(filepath.Join(i.dir, "d"), 0o755))
	for p, want := range map[string]string{
		"/loop/x":                                "too many levels",
		strings.Repeat("/self", 60):              "too many levels",
		strings.Repeat("/x", 300):                "",
		"/long/x":                                "",
		"/d" + strings.Repeat("/../d", 300):      "",
		"/../../d/x":                             "",
		"/nothing/../d":                          "no such file",
		"/" + strings.Repeat("x", 300) + "/../d": "too long",
	} {
		within(t, func() {
			_, err := i.For().Find(p)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("Find(%.40q…) = %v, want %q", p, err, want)
			}
		})
	}
	deep := strings.Repeat("/y", maxDepth+50)
	_, err := i.MkdirAll(deep, Attr{Mode: 0o755, UID: os.Getuid(), GID: os.Getgid()})
	must(t, err)
	if _, err := i.For().Find(deep); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("Find of %d directories = %v, want too long", maxDepth+50, err)
	}
}
