package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
)

// TestRun mounts a file system as an image is mounted and runs a program of
// it, which only works inside.
func TestRun(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	dir := filepath.Join(t.TempDir(), "target")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "size=1m"); err != nil {
		t.Skipf("no mounts here: %v", err)
	}
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ngrep CapBnd /proc/self/status; grep "+dir+" /proc/self/mountinfo\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func() ([]byte, error) { return command.Run(t.Context(), command.Cmd{Args: []string{program}}) }
	if _, err := run(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("outside: %v, want %v", err, os.ErrPermission)
	}
	var inside string
	err := Run(dir, func() error {
		out, err := run()
		inside = string(out)
		return err
	})
	if err != nil || !strings.Contains(inside, "nosuid,nodev") || strings.Contains(inside, "noexec") {
		t.Errorf("inside: %v, %s", err, inside)
	}
	before, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	if bounding(inside) == bounding(string(before)) {
		t.Errorf("the program has all capabilities: %s", bounding(inside))
	}
	if _, err := run(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("afterwards: %v, want %v", err, os.ErrPermission)
	}
	// Nothing holds the file system: a lazy unmount is not needed.
	if err := unix.Unmount(dir, 0); err != nil {
		t.Errorf("unmounting: %v", err)
	}
}

// bounding returns the line of /proc/self/status with the bounding set.
func bounding(status string) string {
	_, rest, _ := strings.Cut(status, "CapBnd:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

func TestRunError(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	wrong := errors.New("wrong")
	if err := Run(t.TempDir(), func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("Run = %v, want %v", err, wrong)
	}
}

// TestReadOnlyStaysSo has a read-only mount, of a name with odd characters, below.
func TestReadOnlyStaysSo(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	below := filepath.Join(dir, "bo ot\u00a0\v")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", below, "tmpfs", unix.MS_RDONLY|unix.MS_NOEXEC, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(below, 0) })
	err := Run(dir, func() error {
		var st unix.Statfs_t
		if err := unix.Statfs(below, &st); err != nil {
			return err
		}
		if st.Flags&unix.ST_RDONLY == 0 || st.Flags&unix.ST_NOEXEC != 0 || st.Flags&unix.ST_NOSUID == 0 {
			t.Errorf("flags %#x, want read-only, executable and without set-id", st.Flags)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
