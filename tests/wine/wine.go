// Package wine runs scripts of Windows with Debian's wine, in a root of its own, where the
// programs that they start are one that records its arguments.
package wine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// Windows is the system that scripts run on. Its C: is a directory of this machine.
type Windows struct {
	Drive string
	root  string
	enter string
	t     *testing.T
}

// Call is the start of a program.
type Call struct {
	Program   string
	Arguments []string
	// Text is what a program was given to run: the decoded command of PowerShell, the file of
	// diskpart or PowerShell.
	Text string
	// Variables are those of the environment that scripts hand over by.
	Variables map[string]string
}

// recorded are the programs in the place of which the recorder is, below C:\windows\system32.
var recorded = []string{
	"net.exe", "diskpart.exe", "netsh.exe", "reg.exe", "wmic.exe", "reagentc.exe", "fsutil.exe",
	"WindowsPowerShell/v1.0/powershell.exe",
}

// New returns a Windows whose files of former tests are gone. dir is the top of the source
// tree. It needs root; two at once are not possible.
func New(t *testing.T, dir string) *Windows {
	t.Helper()
	if os.Getuid() != 0 {
		require.Missing(t, "needs root (uid 0)")
	}
	require.Tool(t, "mmdebstrap")
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "tests/images/wine.sh"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("making a root with wine: %v", err)
	}
	w := &Windows{root: strings.TrimSpace(string(out)), enter: filepath.Join(dir, "tests/wine/enter.sh"), t: t}
	w.Drive = filepath.Join(w.root, "root/.wine/drive_c")
	for _, left := range []string{"record.json", "work", "windows/SnfScripts", "windows/Setup", "windows/Panther", "unattend.xml", "unattend.xml.bak.20261126.080910"} {
		w.check(os.RemoveAll(filepath.Join(w.Drive, left)))
	}
	w.install(dir)
	return w
}

// install puts the recorder in the place of the programs.
func (w *Windows) install(dir string) {
	w.t.Helper()
	recorder := filepath.Join(w.t.TempDir(), "recorder.exe")
	build := exec.CommandContext(w.t.Context(), "go", "build", "-o", recorder, "./tests/wine/recorder")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("building the recorder: %v\n%s", err, out)
	}
	program, err := os.ReadFile(recorder)
	w.check(err)
	for _, name := range recorded {
		path := filepath.Join(w.Drive, "windows/system32", name)
		w.check(os.MkdirAll(filepath.Dir(path), 0o755))
		w.check(os.WriteFile(path, program, 0o755))
	}
}

// Write writes a file of C:, which path is relative to.
func (w *Windows) Write(path string, data []byte) {
	w.t.Helper()
	path = filepath.Join(w.Drive, path)
	w.check(os.MkdirAll(filepath.Dir(path), 0o755))
	w.check(os.WriteFile(path, data, 0o600))
}

// Run runs a command by cmd.exe, and returns what it printed.
func (w *Windows) Run(command ...string) string {
	w.t.Helper()
	var native []string
	for _, name := range recorded {
		native = append(native, filepath.Base(name))
	}
	cmd := exec.CommandContext(w.t.Context(), w.enter, append([]string{w.root, "cmd", "/c"}, command...)...)
	cmd.Env = append(os.Environ(), "WINE_NATIVE="+strings.Join(native, ","))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("cmd /c %q: %v\n%s", command, err, out)
	}
	return string(out)
}

// Calls returns the starts of programs since the last time.
func (w *Windows) Calls() []Call {
	w.t.Helper()
	file := filepath.Join(w.Drive, "record.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	w.check(err)
	w.check(os.Remove(file))
	var calls []Call
	for line := range bytes.Lines(data) {
		var c Call
		w.check(json.Unmarshal(line, &c))
		calls = append(calls, c)
	}
	return calls
}

func (w *Windows) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
