package deb

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// makeDeb builds a package with dpkg-deb that holds files, and names it as apt
// does.
func makeDeb(t *testing.T, dir, name string, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["DEBIAN/control"] = "Package: " + name + "\nVersion: 1:2-3\nArchitecture: amd64\nMaintainer: a <a@b.c>\nDescription: x\n"
	for file, content := range files {
		p := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(dir, name+"_1%3a2-3_amd64.deb")
	if out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--root-owner-group", "--build", root, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	return deb
}

func TestMerged(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"./bin/cat":                   "usr/bin/cat",
		"/sbin/e2fsck":                "usr/sbin/e2fsck",
		"./lib/x86_64-linux-gnu/a.so": "usr/lib/x86_64-linux-gnu/a.so",
		"./usr/bin/[":                 "usr/bin/[",
		"bin":                         "bin",
		"./../../lib/modules/x":       "usr/lib/modules/x",
		"libexec/x":                   "libexec/x",
		"lib64/ld-linux-x86-64.so.2":  "usr/lib64/ld-linux-x86-64.so.2",
		"./":                          "",
		"./usr/share/doc/x/copyright": "usr/share/doc/x/copyright",
	} {
		if got := Merged(in); got != want {
			t.Errorf("Merged(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	file := makeDeb(t, t.TempDir(), "tool", map[string]string{"bin/tool": "x", "usr/share/doc/tool/copyright": "free"})
	got := map[string]string{}
	err := Walk(t.Context(), file, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		b, err := io.ReadAll(r)
		got[h.Name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"usr/bin/tool": "x", "usr/share/doc/tool/copyright": "free"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWalkEnds(t *testing.T) {
	t.Parallel()
	file := makeDeb(t, t.TempDir(), "big", map[string]string{"bin/big": strings.Repeat("x", 1<<20)})
	stop := errors.New("enough")
	if err := Walk(t.Context(), file, func(*tar.Header, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Walk() with a visitor that fails = %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Walk(cancelled, file, func(*tar.Header, io.Reader) error { return nil }); err == nil {
		t.Error("Walk() with a cancelled context = nil")
	}
	if err := os.Truncate(file, 500); err != nil {
		t.Fatal(err)
	}
	if err := Walk(t.Context(), file, func(*tar.Header, io.Reader) error { return nil }); err == nil || !strings.Contains(err.Error(), "unpacking big_") {
		t.Errorf("Walk() of half a package = %v", err)
	}
}
