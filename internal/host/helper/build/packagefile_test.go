package build

import (
	"archive/tar"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"

	"github.com/google/go-cmp/cmp"
)

// makeDeb builds a package with dpkg-deb that holds files, and names it as apt
// does.
func makeDeb(t *testing.T, dir, name string, files map[string]string) string {
	t.Helper()
	tool := require.Tool(t, "dpkg-deb")
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

func TestFindPackages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := makeDeb(t, dir, "tool", map[string]string{"usr/share/doc/tool/copyright": "free"})
	got, err := findPackages(dir, []string{"tool"})
	if err != nil || len(got) != 1 || got[0].Name != "tool" || got[0].Version != "1:2-3" || got[0].path != file {
		t.Fatalf("findPackages() = %+v, %v", got, err)
	}
	b := &build{copyrights: map[string]string{}}
	if err := b.each(t.Context(), got[0], func(*tar.Header, io.Reader) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if b.copyrights["tool"] != "free" || b.newest.IsZero() {
		t.Errorf("licence %q, newest file of %s, want free and a date", b.copyrights["tool"], b.newest)
	}
}

func TestFindPackagesRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "odd_name.deb"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"absent": "apt left 0 files", "odd": "not named"} {
		if _, err := findPackages(dir, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("findPackages(%s) = %v, want %q", name, err, want)
		}
	}
}

func TestTakeToolsWantsEveryFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := newPackage(makeDeb(t, dir, "tool", map[string]string{"sbin/one": "1", "bin/other": "o"}))
	if err != nil {
		t.Fatal(err)
	}
	b := &build{tree: tree{}, copyrights: map[string]string{}}
	if err := b.take(t.Context(), d, source{"tool", "/sbin/one"}, skip); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"usr/sbin/one"}, b.tree.paths()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	err = b.take(t.Context(), d, source{"tool", "/sbin/one /sbin/two"}, skip)
	if err == nil || !strings.Contains(err.Error(), "package tool has no usr/sbin/two") {
		t.Errorf("take() = %v", err)
	}
}

func TestReadAgentRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"missing": dir + "/none", "script": text, "dynamic": require.Tool(t, "sh")} {
		if _, err := readAgent(file); err == nil {
			t.Errorf("readAgent(%s) = nil", name)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	_, err := Build(t.Context(), Options{Dir: t.TempDir(), Flavour: "snf"})
	if err == nil || !strings.Contains(err.Error(), "not in this version") {
		t.Errorf("Build(snf) = %v", err)
	}
	_, err = Build(t.Context(), Options{Dir: t.TempDir(), Agent: "/nonexistent"})
	if err == nil || !strings.Contains(err.Error(), "reading the agent") {
		t.Errorf("Build() without an agent = %v", err)
	}
}
