// Package harness runs the shipped binaries for the blackbox tests: with a
// private configuration file and helper image, on disk files of the test, and
// looks afterwards whether anything was left behind.
//
// It knows the command line and nothing of what is behind it.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Installation is the program under test with its configuration.
type Installation struct {
	Program   string
	HelperDir string
	Config    string // path of the configuration file
	Temporary string // TMPDIR of the program, empty after each run
}

// Gate skips the test unless SNF_VM=1, and fails it when that is set but the
// test cannot run here.
func Gate(t testing.TB, tools ...string) {
	t.Helper()
	if os.Getenv("SNF_VM") != "1" {
		t.Skip("boots virtual machines: set SNF_VM=1, or use make test-vm")
	}
	if os.Getuid() != 0 {
		tools = append(tools, "root (uid 0)")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("needs %s, see scripts/install-deps.sh", tool)
		}
	}
}

// Top returns the root of the source tree.
func Top() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("looking for go.mod above the working directory: not found (%v)", err)
}

// Install prepares the program of this checkout below dir: a copy of it, so
// that a build meanwhile does no harm, a configuration file, and a helper image
// with agent, which is the shipped one when empty.
func Install(ctx context.Context, dir, agent string) (*Installation, error) {
	top, err := Top()
	if err != nil {
		return nil, err
	}
	in := &Installation{
		Program:   filepath.Join(dir, "bin/snf-image"),
		HelperDir: filepath.Join(dir, "helper"),
		Config:    filepath.Join(dir, "snf-image.conf"),
		Temporary: filepath.Join(dir, "tmp"),
	}
	for _, d := range []string{filepath.Dir(in.Program), in.HelperDir, in.Temporary} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			return nil, err
		}
	}
	if agent == "" {
		agent = filepath.Join(top, "bin/snf-image-agent")
	}
	err = errors.Join(
		install(filepath.Join(top, "bin/snf-image"), in.Program),
		install(agent, filepath.Join(dir, "bin/snf-image-agent")),
		os.WriteFile(in.Config, []byte(in.settings()), 0o644))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, in.Program, "--config", in.Config, "helper", "build")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the helper image: %w\n%s", err, out)
	}
	return in, nil
}

// install copies a program.
func install(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

func (in *Installation) settings() string {
	return fmt.Sprintf("HELPER_DIR=%q\n", in.HelperDir)
}

// With returns an installation whose configuration file, in a directory of the
// test, has further settings, as NAME="value" lines. They win over the earlier
// ones.
func (in *Installation) With(t testing.TB, settings ...string) *Installation {
	t.Helper()
	changed := *in
	changed.Config = filepath.Join(t.TempDir(), "snf-image.conf")
	text := in.settings() + strings.Join(settings, "\n") + "\n"
	if err := os.WriteFile(changed.Config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &changed
}

// WithHelperCopy returns an installation with a copy of the helper image, for
// tests that damage it.
func (in *Installation) WithHelperCopy(t testing.TB) *Installation {
	t.Helper()
	changed := *in
	changed.HelperDir = filepath.Join(t.TempDir(), "helper")
	if err := os.CopyFS(changed.HelperDir, os.DirFS(in.HelperDir)); err != nil {
		t.Fatal(err)
	}
	return changed.With(t)
}
