package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// dumpEnv is what Ganeti sets for export or import of a disk, and more.
func dumpEnv(script, disk string, more map[string]string) map[string]string {
	prefix := strings.ToUpper(script)
	env := gnt(disk, map[string]string{prefix + "_DEVICE": disk, prefix + "_DISK_PATH": disk, prefix + "_INDEX": "0"})
	for name, value := range more {
		env[name] = value
	}
	return env
}

// newDump makes a disk to export and another, full of a former tenant's data,
// to import to.
func newDump(t *testing.T) (*job, *harness.Definition) {
	t.Helper()
	j := newJob(t, images.Primary("ext4", images.Debian()))
	stale(t, j.disk, int(oracle.Size(t, j.image)/images.MiB))
	truncate(t, j.disk, oracle.Size(t, j.image))
	return j, site.Definition(t, filepath.Join(j.dir, "root"))
}

// streamed runs a script that has streams and returns how it ended.
func streamed(t *testing.T, cmd *exec.Cmd) harness.Outcome {
	t.Helper()
	var log bytes.Buffer
	cmd.Stderr = &log
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	o := harness.Outcome{Args: cmd.Args, Code: cmd.ProcessState.ExitCode(), Stderr: log.String()}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Code = 128 + int(ws.Signal())
	}
	return o
}

// exported exports disk into a file, with a descriptor for the size.
func exported(t *testing.T, j *job, d *harness.Definition, disk string) (dump, size string) {
	t.Helper()
	dump = filepath.Join(j.dir, "dump")
	out, err := os.Create(dump)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := d.Command(t, "export", dumpEnv("export", disk, map[string]string{"EXP_SIZE_FD": "3"}))
	cmd.Stdout, cmd.ExtraFiles = out, []*os.File{w}
	streamed(t, cmd).OK(t)
	_ = w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return dump, string(b)
}

// imported imports from a stream.
func imported(t *testing.T, d *harness.Definition, disk string, from io.Reader) harness.Outcome {
	t.Helper()
	cmd := d.Command(t, "import", dumpEnv("import", disk, nil))
	cmd.Stdin = from
	return streamed(t, cmd)
}

// content opens a file as a pipe would deliver it.
func content(t *testing.T, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return io.MultiReader(f) // not a descriptor that the script inherits
}

// TestGanetiDump takes a disk through export and import, as files and as block
// devices. dd makes the same dump, and reads the same from the new disk.
func TestGanetiDump(t *testing.T) {
	for _, devices := range []bool{false, true} {
		name := "files"
		if devices {
			name = "devices"
		}
		t.Run(name, func(t *testing.T) {
			j, d := newDump(t)
			from, to, detach := j.image, j.disk, func() {}
			if devices {
				var first, second func()
				from, first = images.Loop(t, from, 0, 0)
				to, second = images.Loop(t, to, 0, 0)
				detach = func() { first(); second() }
			}
			dump, size := exported(t, j, d, from)
			dd := filepath.Join(j.dir, "dd")
			reference(t, "dd", "if="+from, "of="+dd, "bs=1M", "status=none")
			reference(t, "cmp", dump, dd)
			if want := reference(t, "stat", "--format=%s", dd); size != want {
				t.Errorf("EXP_SIZE_FD got %q, want %q", size, want)
			}
			imported(t, d, to, content(t, dd)).OK(t)
			detach()
			reference(t, "cmp", j.disk, dd)
			if used, all := blocks(t, j.disk), oracle.Size(t, j.disk); used > all/2 {
				t.Errorf("the disk takes %d bytes of %d, want that of zeros freed", used, all)
			}
			j.done()
		})
	}
}

// blocks returns how many bytes a file takes.
func blocks(t *testing.T, path string) int64 {
	t.Helper()
	text, _, _ := strings.Cut(reference(t, "du", "--block-size=1", path), "\t")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reference runs an independent tool and returns what it printed.
func reference(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", harness.Quote(args), err, out)
	}
	return string(out)
}

// TestGanetiDumpOfSmallerDisk imports to a larger disk: nothing of the former
// tenant is left behind the dump.
func TestGanetiDumpOfSmallerDisk(t *testing.T) {
	j, d := newDump(t)
	size := oracle.Size(t, j.image)
	stale(t, j.disk, int(size/images.MiB)+64)
	imported(t, d, j.disk, content(t, j.image)).OK(t)
	reference(t, "cmp", "--bytes="+fmt.Sprint(size), j.disk, j.image)
	if rest := oracle.Size(t, j.disk) - size; !oracle.Zero(t, j.disk, size, rest) {
		t.Error("the former tenant's data is behind the dump")
	}
	harness.NothingLeft(t, j.disk)
}

// TestGanetiDumpRefuses: what fails says so in the last line, and leaves no disk
// that boots.
func TestGanetiDumpRefuses(t *testing.T) {
	j, d := newDump(t)
	long := io.MultiReader(content(t, j.image), strings.NewReader("x"))
	imported(t, d, j.disk, long).Fails(t, 4, `too small: it has \d+ bytes and the dump goes on`)
	j.undone()
	stale(t, j.disk, 64)
	imported(t, d, j.disk, strings.NewReader("")).Fails(t, 3, `it is empty`)
	j.undone()
	// A sender that dies in the middle just ends.
	stale(t, j.disk, int(oracle.Size(t, j.image)/images.MiB)+64)
	half := io.LimitReader(content(t, j.image), 24<<20)
	imported(t, d, j.disk, half).Fails(t, 3, `it is cut short: there are 25165824 bytes, and by its partition table at least \d+; look at what sends the dump`)
	j.undone()
	imported(t, d, filepath.Join(j.dir, "gone"), strings.NewReader("x")).Fails(t, 4, `gone: no such file`)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer w.Close()
	cmd := d.Command(t, "export", dumpEnv("export", j.image, nil))
	cmd.Stdout = w
	streamed(t, cmd).Fails(t, 1, `broken pipe; look at what receives the dump`)
	harness.NothingLeft(t, j.disk, j.image)
}

// TestGanetiDumpStopped ends export and import in the middle.
func TestGanetiDumpStopped(t *testing.T) {
	for _, c := range []struct {
		script string
		signal syscall.Signal
		line   string // "": no last word
	}{
		{"import", syscall.SIGKILL, ""},
		{"import", syscall.SIGTERM, "importing the dump: stopped by signal"},
		{"export", syscall.SIGKILL, ""},
		{"export", syscall.SIGTERM, "exporting the disk: stopped by signal"},
	} {
		t.Run(c.script+" "+c.signal.String(), func(t *testing.T) {
			j, d := newDump(t)
			cmd, come := halfway(t, j, d, c.script)
			var log bytes.Buffer
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if !harness.Within(time.Minute, come) {
				t.Error("it does not get to the middle")
			}
			_ = cmd.Process.Signal(c.signal)
			_ = cmd.Wait()
			ws, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
			o := harness.Outcome{Args: cmd.Args, Code: cmd.ProcessState.ExitCode(), Stderr: log.String()}
			if c.line != "" {
				o.Fails(t, 128+int(c.signal), c.line)
			} else if !ws.Signaled() {
				t.Errorf("it ended before the signal\n%s", o)
			}
			harness.NothingLeft(t, j.disk, j.image)
			if c.script == "import" {
				oracle.EndsZero(t, j.disk)
			}
		})
	}
}

// halfway returns a command whose stream stays open in the middle of the dump,
// and a function that reports whether it has come there.
func halfway(t *testing.T, j *job, d *harness.Definition, script string) (*exec.Cmd, func() bool) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if script == "export" {
		cmd := d.Command(t, script, dumpEnv(script, j.image, nil))
		cmd.Stdout = w
		// The pipe is full, or somebody writes to it.
		return cmd, func() bool { n, err := r.Read(make([]byte, 1<<10)); return err == nil && n > 0 }
	}
	cmd := d.Command(t, script, dumpEnv(script, j.disk, nil))
	cmd.Stdin = r
	half := io.LimitReader(content(t, j.image), 24<<20)
	go func() { _, _ = io.Copy(w, half) }()
	// Behind the head the image's data comes; the former tenant's was there.
	before := oracle.Digest(t, j.disk, images.MiB, 4<<20)
	return cmd, func() bool { return oracle.Digest(t, j.disk, images.MiB, 4<<20) != before }
}
