package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/host/config"
	"snf-image/internal/host/helper"
	"snf-image/internal/report"
)

// runProgram runs the program called name with its standard input closed.
func runProgram(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := runAs(t.Context(), strings.NewReader(""), &out, &out, name, args)
	return out.String(), err
}

func TestProgramsByName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		updateHelper: "Usage:\n  snf-image-update-helper",
		createHelper: "Usage:\n  snf-image-create-helper [PACKAGE]",
		"snf-image":  "Usage:\n  snf-image [",
		"renamed":    "Usage:\n  snf-image [",
	} {
		out, err := runProgram(t, name, "-h")
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s -h = %v, %s, want %q", name, err, out, want)
		}
	}
}

func TestUpdateHelperRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte("HELPER_DIR="+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		program string
		args    []string
		kind    report.Kind
		want    string
	}{
		{"download", updateHelper, []string{"-u", "http://example.org/x.deb"}, report.Usage, "not downloaded any more"},
		{"check for a newer one", updateHelper, []string{"-c"}, report.Usage, "not downloaded any more"},
		{"argument", updateHelper, []string{"x.deb"}, report.Usage, `"x.deb"`},
		{"two packages", createHelper, []string{"a.deb", "b.deb"}, report.Usage, "name one package"},
		{"package twice", createHelper, []string{"-p", "a.deb", "b.deb"}, report.Usage, "name one package"},
		{"no package at HELPER_PKG", updateHelper, []string{"--config", conf}, report.HelperImage, dir + "/snf-image-helper.deb: no such file"},
		{"named package missing", createHelper, []string{"--config", conf, "-n", "/none.deb"}, report.HelperImage, "/none.deb: no such file"},
		{"by -p", createHelper, []string{"--config", conf, "-p", "/none.deb"}, report.HelperImage, "/none.deb: no such file"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := runProgram(t, tc.program, tc.args...)
			if report.KindOf(err) != tc.kind || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s %q = %v, want %s with %q", tc.program, tc.args, err, tc.kind, tc.want)
			}
		})
	}
}

func TestOldDownloadFileIsRefused(t *testing.T) {
	t.Parallel()
	var u unpacking
	file := filepath.Join(t.TempDir(), "snf-image-update-helper")
	if err := u.refuseDownload(file); err != nil {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := u.refuseDownload(file)
	if report.KindOf(err) != report.Usage || !strings.Contains(err.Error(), "on "+file) || !strings.Contains(err.Error(), "remove this file") {
		t.Errorf("with the file: %v", err)
	}
}

func TestUnpackOptions(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{HelperDir: "/h", HelperPkg: "/h/p.deb", VersionCheck: true}
	lax := &config.Config{HelperDir: "/h", HelperPkg: "/h/p.deb"}
	for name, tc := range map[string]struct {
		u    unpacking
		cfg  *config.Config
		want helper.UnpackOptions
	}{
		"configured":       {unpacking{}, cfg, helper.UnpackOptions{Dir: "/h", Package: "/h/p.deb", Release: version}},
		"flags":            {unpacking{dir: "/d", pkg: "/q.deb"}, cfg, helper.UnpackOptions{Dir: "/d", Package: "/q.deb", Release: version}},
		"force":            {unpacking{force: true}, cfg, helper.UnpackOptions{Dir: "/h", Package: "/h/p.deb", Release: version, AnyRelease: true}},
		"VERSION_CHECK=no": {unpacking{}, lax, helper.UnpackOptions{Dir: "/h", Package: "/h/p.deb", Release: version, AnyRelease: true}},
	} {
		if diff := cmp.Diff(tc.want, tc.u.options(tc.cfg)); diff != "" {
			t.Errorf("%s: options (-want +got):\n%s", name, diff)
		}
	}
}
