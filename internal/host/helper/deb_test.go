package helper

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
	tool := requireTool(t, "dpkg-deb")
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
	if out, err := exec.CommandContext(t.Context(), tool, "--root-owner-group", "--build", root, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	return deb
}

func TestDebEach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeDeb(t, dir, "tool", map[string]string{"bin/tool": "x", "usr/share/doc/tool/copyright": "free"})
	debs, err := findDebs(dir, []string{"tool"})
	if err != nil {
		t.Fatal(err)
	}
	if debs[0].Name != "tool" || debs[0].Version != "1:2-3" {
		t.Errorf("package = %+v", debs[0].Package)
	}
	got := map[string]string{}
	licence := ""
	err = debs[0].each(t.Context(), func(h *tar.Header, r io.Reader) error {
		licence += copyright(h)
		if h.Typeflag == tar.TypeReg {
			b, err := io.ReadAll(r)
			got[h.Name] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"usr/bin/tool": "x", "usr/share/doc/tool/copyright": "free"}
	if diff := cmp.Diff(want, got); diff != "" || licence != "tool" {
		t.Errorf("copyright of %q, files (-want +got):\n%s", licence, diff)
	}
}

func TestDebEachEnds(t *testing.T) {
	t.Parallel()
	requireTool(t, "dpkg-deb")
	dir := t.TempDir()
	file := makeDeb(t, dir, "big", map[string]string{"bin/big": strings.Repeat("x", 1<<20)})
	whole, err := newDeb(file)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	if err := whole.each(t.Context(), func(*tar.Header, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each() with a visitor that fails = %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := whole.each(cancelled, func(*tar.Header, io.Reader) error { return nil }); err == nil {
		t.Error("each() with a cancelled context = nil")
	}
	if err := os.Truncate(file, 500); err != nil {
		t.Fatal(err)
	}
	if err := whole.each(t.Context(), func(*tar.Header, io.Reader) error { return nil }); err == nil || !strings.Contains(err.Error(), "unpacking big_") {
		t.Errorf("each() of half a package = %v", err)
	}
}

func TestFindDebsRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "odd_name.deb"), nil)
	for name, want := range map[string]string{"absent": "apt left 0 files", "odd": "not named"} {
		if _, err := findDebs(dir, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("findDebs(%s) = %v, want %q", name, err, want)
		}
	}
}

func TestTakeToolsWantsEveryFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := newDeb(makeDeb(t, dir, "tool", map[string]string{"sbin/one": "1", "bin/other": "o"}))
	if err != nil {
		t.Fatal(err)
	}
	b := &build{tree: tree{}, copyrights: map[string]string{}}
	if err := b.takeTools(t.Context(), d, source{"tool", "/sbin/one"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"usr/sbin/one"}, b.tree.paths()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	err = b.takeTools(t.Context(), d, source{"tool", "/sbin/one /sbin/two"})
	if err == nil || !strings.Contains(err.Error(), "package tool has no usr/sbin/two") {
		t.Errorf("takeTools() = %v", err)
	}
}

func TestReadAgentRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	write(t, text, []byte("#!/bin/sh\n"))
	for name, file := range map[string]string{"missing": dir + "/none", "script": text, "dynamic": requireTool(t, "sh")} {
		if _, err := readAgent(file); err == nil {
			t.Errorf("readAgent(%s) = nil", name)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	_, err := Build(t.Context(), BuildOptions{Dir: t.TempDir(), Flavour: "snf"})
	if err == nil || !strings.Contains(err.Error(), "not in this version") {
		t.Errorf("Build(snf) = %v", err)
	}
	_, err = Build(t.Context(), BuildOptions{Dir: t.TempDir(), Agent: "/nonexistent"})
	if err == nil || !strings.Contains(err.Error(), "reading the agent") {
		t.Errorf("Build() without an agent = %v", err)
	}
}
