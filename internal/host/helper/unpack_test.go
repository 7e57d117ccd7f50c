package helper

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
	"snf-image/tests/require"
)

// member is an entry of a package's file tree.
type member struct {
	name, content string
	link          string // makes it a symbolic link
}

// packDeb writes a package by hand (deb(5), ar of uncompressed tars), so that
// it can hold what dpkg-deb would not put there, and returns its path.
func packDeb(t *testing.T, name string, members []member) string {
	t.Helper()
	require.Tool(t, "dpkg-deb")
	control := "Package: " + name + "\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: a <a@b.c>\nDescription: x\n"
	var deb bytes.Buffer
	deb.WriteString("!<arch>\n")
	add := func(name string, data []byte) {
		fmt.Fprintf(&deb, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(data))
		deb.Write(data)
		if len(data)%2 == 1 {
			deb.WriteByte('\n')
		}
	}
	add("debian-binary", []byte("2.0\n"))
	add("control.tar", tarOf(t, []member{{name: "./control", content: control}}))
	add("data.tar", tarOf(t, members))
	file := filepath.Join(t.TempDir(), "snf-image-helper.deb")
	write(t, file, deb.Bytes())
	return file
}

func tarOf(t *testing.T, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
		if m.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// carriedImage returns the members of a good package of that release.
func carriedImage(t *testing.T, release string) ([]member, *Manifest) {
	t.Helper()
	dir := t.TempDir()
	m := putImage(t, dir, release, "packaged")
	var members []member
	for _, name := range []string{manifestName, m.Vmlinux.Name, m.Initramfs.Name, m.Copyright.Name} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{name: "./" + packageDir + "/" + name, content: string(content)})
	}
	return members, m
}

func unpackOptions(dir, file string) UnpackOptions {
	return UnpackOptions{Dir: dir, Package: file, Release: "1.0", Log: slog.New(slog.DiscardHandler)}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	members, want := carriedImage(t, "1.0")
	members = append(members, member{name: "./" + packageDir + "/extra", content: "not in the manifest"},
		member{name: "./usr/share/doc/snf-image-helper/copyright", content: "free"})
	dir := filepath.Join(t.TempDir(), "new")
	got, err := Unpack(t.Context(), unpackOptions(dir, packDeb(t, packageName, members)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	names := []string{manifestName, want.Vmlinux.Name, want.Initramfs.Name, want.Copyright.Name}
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), entries(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	image, err := Open(dir, OpenOptions{Release: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	image.Close()
}

// TestUnpackRefuses damages a good package in every way, and looks that the
// helper image that was there is still in force and nothing else appeared.
// TestUnpackOfWhatIsThere writes nothing and asks nothing; what is damaged is made anew.
func TestUnpackOfWhatIsThere(t *testing.T) {
	t.Parallel()
	members, m := carriedImage(t, "1.0")
	dir := filepath.Join(t.TempDir(), "helper")
	opts := unpackOptions(dir, packDeb(t, packageName, members))
	var log bytes.Buffer
	opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	asked := 0
	opts.Agree = func() bool { asked++; return true }
	when := func() time.Time {
		st, err := os.Stat(filepath.Join(dir, manifestName))
		if err != nil {
			t.Fatal(err)
		}
		return st.ModTime()
	}
	unpacked := func() {
		if _, err := Unpack(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
	}
	unpacked()
	old := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(filepath.Join(dir, manifestName), old, old); err != nil {
		t.Fatal(err)
	}
	unpacked()
	if !when().Equal(old) || asked != 1 || !strings.Contains(log.String(), "the helper image is current") {
		t.Errorf("the image that was there was written again (%v), %d questions:\n%s", when(), asked, &log)
	}
	write(t, filepath.Join(dir, m.Vmlinux.Name), []byte("damaged"))
	opts.Agree = func() bool { return false }
	if _, err := Unpack(t.Context(), opts); !errors.Is(err, ErrDeclined) || !when().Equal(old) {
		t.Errorf("Unpack without consent = %v", err)
	}
	opts.Agree = nil
	unpacked()
	if when().Equal(old) || m.Vmlinux.verify(dir) != nil {
		t.Error("the damaged image was not made anew")
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		damage func(m *Manifest, members []member) []member
		want   string
	}{
		{"no manifest", func(_ *Manifest, members []member) []member { return members[1:] }, "the package has no " + packageDir + "/manifest.json"},
		{"no initramfs", func(_ *Manifest, members []member) []member { return slices.Delete(members, 2, 3) }, "the package has no initramfs-"},
		{"kernel altered", func(_ *Manifest, members []member) []member {
			members[1].content = "X" + members[1].content[1:]
			return members
		}, errDigest.Error()},
		{"kernel cut", func(_ *Manifest, members []member) []member {
			members[1].content = members[1].content[1:]
			return members
		}, errSize.Error()},
		{"kernel is an absolute link", func(m *Manifest, members []member) []member {
			members[1] = member{name: members[1].name, link: "/etc/passwd"}
			return members
		}, "not a regular file"},
		{"manifest is a link out of the package", func(m *Manifest, members []member) []member {
			members[0] = member{name: members[0].name, link: "../../../../etc/passwd"}
			return members
		}, "not a regular file"},
		{"files only outside of the directory", func(_ *Manifest, members []member) []member {
			for i := range members {
				members[i].name = "../../" + filepath.Base(members[i].name)
			}
			return members
		}, "the package has no " + packageDir},
		{"manifest names a path", func(m *Manifest, members []member) []member {
			members[0].content = strings.Replace(members[0].content, m.Vmlinux.Name, "../escaped", 1)
			return members
		}, "invalid file name"},
		{"manifest is no JSON", func(_ *Manifest, members []member) []member {
			members[0].content = "x"
			return members
		}, "parsing the manifest"},
		{"other release", func(_ *Manifest, members []member) []member {
			members[0].content = strings.Replace(members[0].content, `"release": "1.0"`, `"release": "2.0"`, 1)
			return members
		}, "another release: 2.0, snf-image is 1.0"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			members, m := carriedImage(t, "1.0")
			refused(t, packDeb(t, packageName, tc.damage(m, members)), tc.want)
		})
	}
}

// refused unpacks file over a helper image that must survive it.
func refused(t *testing.T, file, want string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "helper")
	putImage(t, dir, "1.0", "before")
	before := entries(t, dir)
	_, err := Unpack(t.Context(), unpackOptions(dir, file))
	f, ok := err.(*report.Failure)
	if !ok || f.Kind != report.HelperImage || f.On != file || f.Remedy == "" || !strings.Contains(err.Error(), want) {
		t.Errorf("Unpack() = %v, want a failure on the package with %q", err, want)
	}
	if diff := cmp.Diff(before, entries(t, dir)); diff != "" {
		t.Errorf("HELPER_DIR (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"helper"}, entries(t, top)); diff != "" {
		t.Errorf("beside HELPER_DIR (-before +after):\n%s", diff)
	}
	image, err := Open(dir, OpenOptions{Release: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	image.Close()
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name()] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func TestUnpackRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	members, _ := carriedImage(t, "1.0")
	whole := packDeb(t, packageName, members)
	dir := t.TempDir()
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	cut, html := filepath.Join(dir, "cut.deb"), filepath.Join(dir, "html.deb")
	write(t, cut, text[:len(text)/2])
	write(t, html, []byte("<html>404"))
	for name, tc := range map[string]struct{ file, want string }{
		"other package":  {packDeb(t, "snf-image-host", members), `the package is called "snf-image-host"`},
		"missing":        {dir + "/none.deb", "no such file"},
		"directory":      {dir, "not a regular file"},
		"device":         {"/dev/zero", "not a regular file"},
		"truncated":      {cut, "unpacking cut.deb"},
		"something else": {html, "not a Debian package"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tc.file, tc.want)
		})
	}
}

func TestUnpackOfAnotherReleaseByForce(t *testing.T) {
	t.Parallel()
	members, m := carriedImage(t, "2.0")
	opts := unpackOptions(t.TempDir(), packDeb(t, packageName, members))
	opts.AnyRelease = true
	if _, err := Unpack(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	members[0].content = strings.Replace(members[0].content, fmt.Sprintf(`"protocol": %d`, m.Protocol), `"protocol": 999`, 1)
	opts.Package = packDeb(t, packageName, members)
	if _, err := Unpack(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "version 999 of the protocol") {
		t.Errorf("Unpack() of another protocol = %v", err)
	}
}

func TestUnpackStops(t *testing.T) {
	t.Parallel()
	members, _ := carriedImage(t, "1.0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Unpack(ctx, unpackOptions(dir, packDeb(t, packageName, members))); err == nil {
		t.Error("Unpack() with a context that ended = nil")
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRemedyNamesThePackageThatLiesThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "snf-image-helper.deb")
	write(t, file, []byte("x"))
	for pkg, want := range map[string]string{"": "helper build", dir: "helper build", dir + "/none": "helper build", file: "snf-image-update-helper"} {
		_, err := Open(t.TempDir(), OpenOptions{Release: "1.0", Package: pkg})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() with the package %q = %v, want %q", pkg, err, want)
		}
	}
}
