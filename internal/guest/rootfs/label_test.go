package rootfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"snf-image/tests/require"
)

// mark sets a label without the code under test.
func (i image) mark(t *testing.T, p, label string) {
	t.Helper()
	must(t, unix.Lsetxattr(filepath.Join(i.dir, p), selinuxAttribute, []byte(label+"\x00"), 0))
}

// labels returns the labels of paths, without the code under test.
func (i image) labels(t *testing.T, paths ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range paths {
		buf := make([]byte, 200)
		n, err := unix.Lgetxattr(filepath.Join(i.dir, p), selinuxAttribute, buf)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		must(t, err)
		out[p] = string(buf[:n])
	}
	return out
}

// policy labels by path and kind, and nothing below /tmp.
func policy(p string, kind fs.FileMode) string {
	if strings.HasPrefix(p, "/tmp/") {
		return ""
	}
	return "policy:" + kind.Type().String()[:1] + ":" + p
}

// TestLabels gives a label to all that is new, and leaves those that are there.
func TestLabels(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	i := newImage(t)
	for _, name := range []string{"edited", "written", "bare", "moved", "custom", "updated"} {
		i.put(t, "etc/"+name, "old\n")
	}
	i.link(t, "old", "etc/link")
	i.link(t, "old", "etc/wasalink")
	must(t, os.Mkdir(filepath.Join(i.dir, "tmp"), 0o755))
	for p, label := range map[string]string{
		"etc/edited": "kept:edited", "etc/written": "kept:written", "etc/moved": "policy:-:/etc/moved", "etc/custom": "kept:custom",
		"etc/link": "kept:link", "etc/wasalink": "gone", "tmp": "tmpdir", "etc/updated": "kept:updated",
	} {
		i.mark(t, p, label)
	}
	i.Label = policy
	change := func([]byte) ([]byte, error) { return []byte("new\n"), nil }
	must(t, i.Edit("/etc/edited", change))
	must(t, i.Edit("/etc/bare", change))
	must(t, i.WriteFile("/etc/written", nil, Attr{Mode: 0o644}))
	must(t, i.WriteFile("/etc/wasalink", nil, Attr{Mode: 0o644}))
	must(t, i.WriteFile("/tmp/new", nil, Attr{Mode: 0o644}))
	must(t, i.Put("/etc/new", change))
	must(t, i.Symlink("target", "/etc/link"))
	must(t, i.Symlink("target", "/etc/newlink"))
	_, err := i.MkdirAll("/home/u/.ssh", Attr{Mode: 0o700})
	must(t, err)
	must(t, i.Rename("/etc/moved", "/etc/kept"))
	must(t, i.Rename("/etc/custom", "/etc/beside"))
	found, err := i.Only().Find("/etc/updated")
	must(t, err)
	must(t, i.Only().Update("/etc/updated", found, Attr{Mode: 0o600, UID: 1, GID: 1}, func([]byte) []byte { return nil }))
	want := map[string]string{
		"etc/edited": "kept:edited", "etc/bare": "policy:-:/etc/bare", "etc/written": "kept:written", "etc/wasalink": "policy:-:/etc/wasalink",
		"tmp/new": "tmpdir", "etc/new": "policy:-:/etc/new", "etc/link": "kept:link", "etc/newlink": "policy:L:/etc/newlink",
		"home": "policy:d:/home", "home/u": "policy:d:/home/u", "home/u/.ssh": "policy:d:/home/u/.ssh",
		"etc/kept": "policy:-:/etc/kept", "etc/beside": "kept:custom", "etc/updated": "kept:updated",
	}
	var paths []string
	for p, label := range want {
		paths, want[p] = append(paths, p), label+"\x00"
	}
	if diff := cmp.Diff(want, i.labels(t, paths...)); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got := i.Labelled("/etc/link"); got != "kept:link" {
		t.Errorf("Labelled(/etc/link) = %q, want that of the link itself", got)
	}
}

// TestEditKeepsACL replaces a file in a directory whose default access control list a new
// file gets: it is not the replaced one's.
func TestEditKeepsACL(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	i := newImage(t)
	i.put(t, "etc/plain", "old\n")
	// Version 2; user::rwx, user:1:rwx, group::rwx, mask::rwx, other::--- (posix_acl_xattr.h).
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x01\x00\x00\x00" +
		"\x04\x00\x07\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	must(t, unix.Setxattr(filepath.Join(i.dir, "etc"), "system.posix_acl_default", []byte(acl), 0))
	must(t, i.Edit("/etc/plain", func([]byte) ([]byte, error) { return []byte("new\n"), nil }))
	if n, err := unix.Getxattr(filepath.Join(i.dir, "etc/plain"), "system.posix_acl_access", nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("the replaced file has an access control list of %d bytes (%v), want none", n, err)
	}
	if st, err := os.Stat(filepath.Join(i.dir, "etc/plain")); err != nil || st.Mode() != 0o644 {
		t.Errorf("mode %v (%v), want 0644", st.Mode(), err)
	}
}

// TestRelabel visits every file once, and passes on what is said about a directory.
func TestRelabel(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	i := newImage(t)
	i.put(t, "etc/a", "")
	i.put(t, "srv/moved/deep/file", "")
	i.link(t, "/outside", "etc/link")
	must(t, unix.Mkfifo(filepath.Join(i.dir, "etc/fifo"), 0o600))
	must(t, unix.Mknod(filepath.Join(i.dir, "etc/null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	i.mark(t, "etc", "etc:label")
	var seen []string
	start := time.Now().Add(-time.Hour)
	n, err := i.Relabel(t.Context(), func(f File) (string, bool) {
		if f.Inode.Before(start) || f.Content.Before(start) {
			t.Errorf("%s was changed at %v, its content at %v", f.Path, f.Inode, f.Content)
		}
		text := f.Kind.String()[:1] + f.Path
		if f.Below {
			text += " below"
		}
		seen = append(seen, text+" "+f.Dir)
		return policy(f.Path, f.Kind), f.Below || f.Path == "/srv/moved"
	})
	must(t, err)
	want := []string{
		"-/etc/a policy:d:/etc", "-/srv/moved/deep/file below policy:d:/srv/moved/deep", "D/etc/null policy:d:/etc", "L/etc/link policy:d:/etc",
		"d/etc ", "d/srv ", "d/srv/moved policy:d:/srv", "d/srv/moved/deep below policy:d:/srv/moved", "p/etc/fifo policy:d:/etc",
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(seen))); diff != "" || n != len(want) {
		t.Errorf("%d labels; visited (-want +got):\n%s", n, diff)
	}
	if got := i.labels(t, "etc/link")["etc/link"]; got != "policy:L:/etc/link\x00" {
		t.Errorf("the link's label = %q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Relabel(ended, func(File) (string, bool) { return "", false }); !errors.Is(err, context.Canceled) {
		t.Errorf("Relabel = %v, want %v", err, context.Canceled)
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		require.Missing(t, "needs root")
	}
}
