package harness

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Console is all a helper writes on its serial console.
//
// The program keeps the end of it, and shows that only when the helper dies or to
// who debugs. So this is taken from QEMU: a script in its place adds to the
// console's channel, and to nothing else, that QEMU writes all of it to a file as
// well. What the firmware prints is in it, too; what the program makes of it is not.
type Console struct {
	// Setting makes the program use the script.
	Setting string
	path    string
}

// KeepConsole prepares the console of helpers to come. Files are where QEMU's uid
// reaches them.
func KeepConsole(t testing.TB) *Console {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "snf-console-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &Console{path: File(t, dir, "console", "")}
	script := File(t, dir, "qemu", fmt.Sprintf(`#!/bin/sh
for arg; do
    case $arg in socket,id=console,*) arg=$arg,logfile=%s,logappend=on ;; esac
    shift
    set -- "$@" "$arg"
done
exec %s "$@"
`, c.path, qemu))
	c.Setting = fmt.Sprintf("KVM=%q", script)
	for path, mode := range map[string]os.FileMode{dir: 0o755, script: 0o755, c.path: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Path is that of the file, for a search that shall not take it for a temporary
// one.
func (c *Console) Path() string { return c.path }

// Text returns what there is so far.
func (c *Console) Text(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
