package filesystem

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/command"
)

// TestPrivate mounts a file system as an image is mounted and runs a program of
// it, which only works inside.
func TestPrivate(t *testing.T) {
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
	if err := unix.Mount("none", dir, "tmpfs", flags, "size=1m"); err != nil {
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
	err := Private(dir, func() error {
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

func TestPrivateError(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	wrong := errors.New("wrong")
	if err := Private(t.TempDir(), func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("Private = %v, want %v", err, wrong)
	}
}

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	table := "1 0 8:1 / / rw - ext4 a rw\n2 1 8:1 / /t rw,noexec - ext4 a rw\n3 2 8:2 / /t/bo\\040ot\u00a0 ro,nosuid - ext4 b rw\n4 1 8:3 / /target rw - x y z\nrubbish\n"
	got := mountsBelow(table, "/t")
	if len(got) != 2 || got[0] != (mountPoint{"/t", 0}) || got[1] != (mountPoint{"/t/bo ot\u00a0", unix.MS_RDONLY}) {
		t.Errorf("mountsBelow = %+v", got)
	}
}
