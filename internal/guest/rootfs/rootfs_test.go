package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// image is a tree to play an image in, beside a directory that stands for the
// helper: nothing in it may ever change.
type image struct {
	*Root
	dir    string // the tree
	canary string // outside of it
}

const canaryText = "the helper's own\n"

func newImage(t *testing.T) image {
	t.Helper()
	top := t.TempDir()
	i := image{dir: filepath.Join(top, "image"), canary: filepath.Join(top, "outside", "canary")}
	must(t, os.MkdirAll(filepath.Join(i.dir, "etc"), 0o755))
	must(t, os.MkdirAll(filepath.Dir(i.canary), 0o755))
	must(t, os.WriteFile(i.canary, []byte(canaryText), 0o644))
	before, err := os.Stat(i.canary)
	must(t, err)
	i.Root, err = Open(i.dir)
	must(t, err)
	t.Cleanup(func() {
		must(t, i.Close())
		after, err := os.Stat(i.canary)
		must(t, err)
		text, err := os.ReadFile(i.canary)
		must(t, err)
		names, err := os.ReadDir(filepath.Dir(i.canary))
		must(t, err)
		if string(text) != canaryText || !before.ModTime().Equal(after.ModTime()) || !os.SameFile(before, after) || len(names) != 1 {
			t.Errorf("the canary outside of the image changed: %q, %v", text, names)
		}
	})
	return i
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file of the image without the code under test.
func (i image) put(t *testing.T, p, content string) {
	t.Helper()
	p = filepath.Join(i.dir, p)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.WriteFile(p, []byte(content), 0o644))
}

func (i image) link(t *testing.T, target, p string) {
	t.Helper()
	p = filepath.Join(i.dir, p)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.Symlink(target, p))
}

func (i image) content(t *testing.T, p string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(i.dir, p))
	must(t, err)
	return string(data)
}

// within fails the test when f does not come back: hostile files must not
// make anything wait.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting after 10 s")
	}
}

// hostile makes the files an attacker would and returns their paths.
func hostile(t *testing.T, i image) map[string]string {
	t.Helper()
	must(t, unix.Mkfifo(filepath.Join(i.dir, "fifo"), 0o644))
	must(t, os.Mkdir(filepath.Join(i.dir, "directory"), 0o755))
	must(t, os.Truncate(func() string { i.put(t, "huge", ""); return filepath.Join(i.dir, "huge") }(), 1<<40))
	i.link(t, "loop", "loop")
	i.link(t, "/fifo", "tofifo")
	i.link(t, i.canary, "absolute")
	i.link(t, strings.Repeat("../", 40)+i.canary, "upward")
	i.link(t, "/proc/self/root"+i.canary, "magic")
	i.link(t, filepath.Dir(i.canary), "dirlink")
	paths := map[string]string{
		"fifo": "/fifo", "directory": "/directory", "huge": "/huge", "loop": "/loop", "link to fifo": "/tofifo",
		"absolute link": "/absolute", "upward link": "/upward", "magic link": "/magic", "linked directory": "/dirlink/canary",
		"dotdot": "/../../../.." + i.canary, "relative dotdot": "../outside/canary", "empty": "", "file as directory": "/huge/x",
		"nul": "/et\x00c", "endless name": "/" + strings.Repeat("x", 5000),
	}
	if err := unix.Mknod(filepath.Join(i.dir, "device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err == nil {
		paths["device"] = "/device" // /dev/zero: never ends
	}
	return paths
}

func TestReadHostile(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	for name, p := range hostile(t, i) {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				if data, err := i.ReadFile(p, 1<<20); err == nil {
					t.Errorf("ReadFile(%q) = %q, want an error", p, data)
				}
			})
		})
	}
}

func TestEditHostile(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	for name, p := range hostile(t, i) {
		t.Run(name, func(t *testing.T) {
			within(t, func() {
				err := i.Edit(p, func([]byte) ([]byte, error) { return []byte("evil"), nil })
				if err == nil {
					t.Errorf("Edit(%q) = nil, want an error", p)
				}
			})
		})
	}
	if got := i.Changed(); len(got) != 0 {
		t.Errorf("Changed() = %v, want none", got)
	}
}

func TestWriteReplacesHostileLastComponent(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	paths := hostile(t, i)
	for _, name := range []string{"fifo", "huge", "loop", "link to fifo", "absolute link", "upward link", "magic link"} {
		t.Run(name, func(t *testing.T) {
			p := paths[name]
			within(t, func() { must(t, i.WriteFile(p, []byte("ours"), Attr{Mode: 0o640, UID: os.Getuid(), GID: os.Getgid()})) })
			st, err := os.Lstat(filepath.Join(i.dir, p))
			must(t, err)
			if !st.Mode().IsRegular() || st.Mode().Perm() != 0o640 || i.content(t, p) != "ours" {
				t.Errorf("%s is %v with %q", p, st.Mode(), i.content(t, p))
			}
		})
	}
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	hostile(t, i)
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"directory":         {"/directory", ErrNotRegular},
		"no parent":         {"/missing/x", fs.ErrNotExist},
		"parent is a file":  {"/huge/x", unix.ENOTDIR},
		"parent is a loop":  {"/loop/x", unix.ELOOP},
		"parent is outside": {"/dirlink/canary", fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			if err := i.WriteFile(c.path, nil, Attr{}); !errors.Is(err, c.want) {
				t.Errorf("WriteFile(%q) = %v, want %v", c.path, err, c.want)
			}
		})
	}
	for _, p := range []string{"", "/", "/etc/..", "/etc/.", "..", "//"} {
		if err := i.WriteFile(p, nil, Attr{}); err == nil {
			t.Errorf("WriteFile(%q) = nil, want an error", p)
		}
	}
}

// An absolute link inside the image counts from the image's top, so that what
// a distribution ships works.
func TestEditThroughLinks(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "usr/lib/os-release", "ID=old\n")
	i.link(t, "/usr/lib/os-release", "etc/os-release")
	must(t, i.Edit("/etc/os-release", func(old []byte) ([]byte, error) {
		return []byte(strings.ReplaceAll(string(old), "old", "new")), nil
	}))
	if got := i.content(t, "usr/lib/os-release"); got != "ID=new\n" {
		t.Errorf("content = %q", got)
	}
	if target, err := i.Readlink("/etc/os-release"); err != nil || target != "/usr/lib/os-release" {
		t.Errorf("Readlink = %q, %v", target, err)
	}
	if diff := cmp.Diff([]string{"/usr/lib/os-release"}, i.Changed()); diff != "" {
		t.Errorf("Changed (-want +got):\n%s", diff)
	}
}

func TestEditKeepsAttributes(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/shadow", "old\n")
	p := filepath.Join(i.dir, "etc/shadow")
	attrs := map[string]string{"user.note": "kept"}
	if os.Getuid() == 0 {
		must(t, os.Chown(p, 12, 34))
		attrs["security.selinux"] = "system_u:object_r:shadow_t:s0\x00"
	}
	must(t, os.Chmod(p, 0o640|fs.ModeSetgid))
	for name, value := range attrs {
		if err := unix.Setxattr(p, name, []byte(value), 0); err != nil {
			t.Skipf("no extended attributes here: %v", err)
		}
	}
	var before, after unix.Stat_t
	must(t, unix.Stat(p, &before))
	must(t, i.Edit("/etc/shadow", func([]byte) ([]byte, error) { return []byte("new\n"), nil }))
	must(t, unix.Stat(p, &after))
	if before.Mode != after.Mode || before.Uid != after.Uid || before.Gid != after.Gid || before.Ino == after.Ino {
		t.Errorf("before %o %d:%d, after %o %d:%d", before.Mode, before.Uid, before.Gid, after.Mode, after.Uid, after.Gid)
	}
	for name, value := range attrs {
		buf := make([]byte, 100)
		n, err := unix.Getxattr(p, name, buf)
		if err != nil || string(buf[:n]) != value {
			t.Errorf("%s = %q, %v", name, buf[:max(n, 0)], err)
		}
	}
}

func TestEditUnchangedLeavesFile(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/hosts", "same\n")
	before, err := os.Stat(filepath.Join(i.dir, "etc/hosts"))
	must(t, err)
	must(t, i.Edit("/etc/hosts", func(old []byte) ([]byte, error) { return old, nil }))
	after, err := os.Stat(filepath.Join(i.dir, "etc/hosts"))
	must(t, err)
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || len(i.Changed()) != 0 {
		t.Error("an edit that changes nothing touched the file")
	}
}

func TestEditErrorLeavesFile(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/hosts", "same\n")
	wrong := errors.New("wrong")
	if err := i.Edit("/etc/hosts", func([]byte) ([]byte, error) { return nil, wrong }); !errors.Is(err, wrong) {
		t.Errorf("Edit = %v, want %v", err, wrong)
	}
	names, err := i.ReadDir("/etc")
	must(t, err)
	if diff := cmp.Diff([]string{"hosts"}, names); diff != "" || i.content(t, "etc/hosts") != "same\n" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

// A hard link elsewhere, outside of what was asked for, keeps its content.
func TestEditBreaksHardLinks(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/a", "old")
	must(t, os.Link(filepath.Join(i.dir, "etc/a"), filepath.Join(i.dir, "etc/b")))
	must(t, i.Edit("/etc/a", func([]byte) ([]byte, error) { return []byte("new"), nil }))
	if a, b := i.content(t, "etc/a"), i.content(t, "etc/b"); a != "new" || b != "old" {
		t.Errorf("a = %q, b = %q", a, b)
	}
}

func TestImmutableIsNamed(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/hosts", "same\n")
	f, err := os.Open(filepath.Join(i.dir, "etc/hosts"))
	must(t, err)
	defer func() { _ = f.Close() }()
	const immutable = 0x10 // FS_IMMUTABLE_FL of linux/fs.h
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, immutable); err != nil {
		t.Skipf("no immutable files here: %v", err)
	}
	t.Cleanup(func() {
		g, err := os.Open(filepath.Join(i.dir, "etc/hosts"))
		must(t, err)
		must(t, unix.IoctlSetPointerInt(int(g.Fd()), unix.FS_IOC_SETFLAGS, 0))
		_ = g.Close()
	})
	for name, err := range map[string]error{
		"edit":   i.Edit("/etc/hosts", func([]byte) ([]byte, error) { return nil, nil }),
		"look":   i.Editable("/etc/hosts"),
		"look 2": i.Replaceable("/etc/hosts"),
		"remove": i.Remove("/etc/hosts"),
		"write":  i.WriteFile("/etc/hosts", nil, Attr{}),
	} {
		if err == nil || !strings.Contains(err.Error(), "immutable") {
			t.Errorf("%s: %v, want an error that names the attribute", name, err)
		}
	}
}

func TestMkdirAll(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	hostile(t, i)
	i.put(t, "var/real/file", "")
	i.link(t, "/var/real", "srv")
	i.link(t, "/nothing", "broken")
	attr := Attr{Mode: 0o710, UID: os.Getuid(), GID: os.Getgid()}
	for name, c := range map[string]struct {
		path string
		made []string
		want string // of the error
	}{
		"through a link":  {"/srv/a/b", []string{"/var/real/a", "/var/real/a/b"}, ""},
		"there already":   {"/etc", nil, ""},
		"dotdot":          {"/../../x", []string{"/x"}, ""},
		"on a file":       {"/var/real/file/x", nil, "is a regular file"},
		"on a FIFO":       {"/fifo/x", nil, "is a FIFO"},
		"on a loop":       {"/loop/x", nil, "too many levels"},
		"on nothing":      {"/broken/x", nil, "link to nothing"},
		"below an escape": {"/dirlink/x", nil, "link to nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := i.MkdirAll(c.path, attr)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("MkdirAll(%q) = %v, want %q", c.path, err, c.want)
			}
			if diff := cmp.Diff(c.made, made); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			for _, p := range made {
				st, err := i.Lstat(p)
				must(t, err)
				if st.Mode() != fs.ModeDir|0o710 {
					t.Errorf("%s is %v", p, st.Mode())
				}
			}
		})
	}
}

func TestRemoveSymlinkRename(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/file", "x")
	i.link(t, i.canary, "etc/link")
	must(t, i.Remove("/etc/link"))
	must(t, i.Symlink("/etc/file", "/etc/new"))
	must(t, i.Symlink("/etc/other", "/etc/new"))
	must(t, i.Rename("/etc/file", "/etc/moved"))
	if err := i.Remove("/etc"); err == nil {
		t.Error("Remove of a directory = nil, want an error")
	}
	if err := i.Remove("/etc/none"); !IsNotExist(err) {
		t.Errorf("Remove of nothing = %v, want not exist", err)
	}
	if target, err := i.Readlink("/etc/new"); err != nil || target != "/etc/other" {
		t.Errorf("Readlink = %q, %v", target, err)
	}
	if diff := cmp.Diff([]string{"/etc/file", "/etc/link", "/etc/moved", "/etc/new"}, i.Changed()); diff != "" {
		t.Errorf("Changed (-want +got):\n%s", diff)
	}
	names, err := i.ReadDir("/etc")
	must(t, err)
	if diff := cmp.Diff([]string{"moved", "new"}, names); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	for _, p := range []string{"etc/d/b.conf", "etc/d/a.conf", "etc/d/.hidden.conf", "etc/d/c.txt", "etc/e/a.conf"} {
		i.put(t, p, "")
	}
	i.link(t, filepath.Dir(i.canary), "etc/out")
	i.link(t, "/etc/d", "linked")
	for pattern, want := range map[string][]string{
		"/etc/d/*.conf":  {"/etc/d/a.conf", "/etc/d/b.conf"},
		"/etc/*/a.conf":  {"/etc/d/a.conf", "/etc/e/a.conf"},
		"/linked/*.txt":  {"/linked/c.txt"},
		"/etc/d/.*":      {"/etc/d/.hidden.conf"},
		"/etc/out/*":     nil,
		"/etc/d/c.txt/*": nil,
		"/none/*":        nil,
	} {
		got, err := i.Glob(pattern)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Glob(%q) (-want +got):\n%s", pattern, diff)
		}
	}
	for n := range 150 { // a tree of 150³ paths in one directory
		i.link(t, ".", "etc/tree/"+strconv.Itoa(n))
	}
	for _, pattern := range []string{"/etc/tree/*/*", "/etc/tree/*/*/*", strings.Repeat("/.", unix.PathMax)} {
		if got, err := i.Glob(pattern); err == nil {
			t.Errorf("Glob(%.20q) = %d paths, want an error", pattern, len(got))
		}
	}
	if _, err := i.Glob("/etc/["); err == nil {
		t.Error("Glob of a bad pattern = nil, want an error")
	}
}

func TestReadLimit(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	i.put(t, "etc/x", "12345")
	if _, err := i.ReadFile("/etc/x", 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFile = %v, want %v", err, ErrTooLarge)
	}
	if data, err := i.ReadFile("etc/x", 5); err != nil || string(data) != "12345" {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
}

func TestOpenMissing(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !IsNotExist(err) {
		t.Errorf("Open = %v, want not exist", err)
	}
}
