package target

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
	"snf-image/tests/require"
)

// qemuIO is a QEMU that has opened a disk; quit ends it.
type qemuIO struct {
	cmd *exec.Cmd
	in  *os.File
}

// startQEMU opens a disk as a running instance does. It returns what QEMU says
// up to its first answer.
func startQEMU(t *testing.T, args ...string) (*qemuIO, string) {
	t.Helper()
	tool := require.Tool(t, "qemu-io")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, args...)
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	// Written while r is still open here: a QEMU that is refused the disk ends
	// at once, and the write would fail.
	if _, err := w.WriteString("length\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	q := &qemuIO{cmd, w}
	t.Cleanup(q.quit)
	s := bufio.NewScanner(out)
	var said strings.Builder
	for s.Scan() {
		said.WriteString(s.Text() + "\n")
		if strings.Contains(s.Text(), "MiB") || strings.Contains(s.Text(), "lock") {
			break
		}
	}
	return q, said.String()
}

func (q *qemuIO) quit() {
	q.in.Close()
	_ = q.cmd.Wait()
}

func TestQEMU(t *testing.T) {
	t.Parallel()
	path := newDisk(t, testSize)
	q, said := startQEMU(t, "-f", "raw", path)
	if !strings.Contains(said, "8 MiB") {
		t.Fatalf("qemu-io says %q", said)
	}
	refused(t, path, Options{}, report.Busy, "a running QEMU, or another run, uses it")
	refused(t, path, Options{ReadOnly: true}, report.Busy, "a running QEMU")
	q.quit()

	reader, said := startQEMU(t, "-r", "-f", "raw", path)
	if !strings.Contains(said, "8 MiB") {
		t.Fatalf("qemu-io says %q", said)
	}
	refused(t, path, Options{}, report.Busy, "a running QEMU")
	open(t, path, Options{ReadOnly: true}).Close()
	reader.quit()

	open(t, path, Options{})
	if _, said := startQEMU(t, "-f", "raw", path); !strings.Contains(said, "lock") {
		t.Errorf("another QEMU opened our disk: %q", said)
	}
}

// TestSharedDescription plays the helper's QEMU, which gets a duplicate of our
// descriptor: its locks and ours are those of one owner, and what it released
// is taken again by Commit.
func TestSharedDescription(t *testing.T) {
	t.Parallel()
	path := newDisk(t, testSize)
	d := open(t, path, Options{})
	fd, err := unix.Dup(int(d.File.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	dup := os.NewFile(uintptr(fd), "duplicate")
	if err := setLock(dup, unix.F_RDLCK, lockDoes+doesWrite, 1); err != nil {
		t.Fatalf("a lock through the duplicate: %v", err)
	}
	if err := errors.Join(setLock(dup, unix.F_UNLCK, 0, 0), dup.Close()); err != nil {
		t.Fatal(err)
	}
	q, said := startQEMU(t, "-f", "raw", path)
	if !strings.Contains(said, "8 MiB") {
		t.Fatalf("qemu-io says %q", said)
	}
	head, tail := newEnd(t, nil), newEnd(t, nil)
	if err := Commit(t.Context(), d, head, tail); report.KindOf(err) != report.Busy {
		t.Errorf("Commit beside another QEMU = %v, want busy", err)
	}
	q.quit()
	if err := Commit(t.Context(), d, head, tail); err != nil {
		t.Error(err)
	}
	if _, said := startQEMU(t, "-f", "raw", path); !strings.Contains(said, "lock") {
		t.Errorf("another QEMU opened our disk: %q", said)
	}
}
