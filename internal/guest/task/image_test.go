package task

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// imageRun is a Run on a tree instead of a mounted image. Beside the tree lies
// a directory that stands for the helper and must stay as it is.
type imageRun struct {
	*Run
	dir string
	log *bytes.Buffer
}

// newImageRun makes a tree of files. As content "-> x" makes a symbolic link to
// x, "FIFO" a FIFO, "DIR" a directory, "OPEN" one that all may write, "ZERO" a
// device that never ends.
// OUTSIDE in a target is the directory beside the tree.
func newImageRun(t *testing.T, files map[string]string) imageRun {
	t.Helper()
	top := t.TempDir()
	dir, outside := filepath.Join(top, "image"), filepath.Join(top, "outside")
	check(t, os.Mkdir(dir, 0o755))
	check(t, os.Mkdir(outside, 0o755))
	for _, name := range []string{"canary", "shadow", "authorized_keys"} {
		check(t, os.WriteFile(filepath.Join(outside, name), []byte("root:canary:1\n"), 0o644))
	}
	before := snapshot(t, outside)
	for p, content := range files {
		makeFile(t, filepath.Join(dir, p), strings.ReplaceAll(content, "OUTSIDE", outside))
	}
	root, err := rootfs.Open(dir)
	check(t, err)
	var log bytes.Buffer
	t.Cleanup(func() {
		check(t, root.Close())
		if diff := cmp.Diff(before, snapshot(t, outside)); diff != "" {
			t.Errorf("outside of the image (-before +after):\n%s", diff)
		}
	})
	return imageRun{dir: dir, log: &log, Run: &Run{
		Plan:        &spec.Plan{Users: []string{"root"}, UnixTime: 20000 * secondsOfDay, MachineID: strings.Repeat("ab", 16)},
		Credentials: &spec.Credentials{},
		Inspection:  &report.Inspection{OSFamily: "linux"},
		Root:        root,
		Target:      dir,
		Log:         slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
}

func makeFile(t *testing.T, p, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(p), 0o755))
	target, isLink := strings.CutPrefix(content, "-> ")
	switch {
	case isLink:
		check(t, os.Symlink(target, p))
	case content == "FIFO":
		check(t, unix.Mkfifo(p, 0o644))
	case content == "DIR":
		check(t, os.MkdirAll(p, 0o755))
	case content == "OPEN":
		check(t, os.MkdirAll(p, 0o755))
		check(t, os.Chmod(p, 0o777))
	case content == "ZERO":
		if err := unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
			t.Skipf("no device nodes here: %v", err)
		}
	default:
		// It may be run. A child that another test forks while the file is open for
		// writing holds it open until it executes something else: "text file busy".
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		check(t, os.WriteFile(p, []byte(content), 0o644))
	}
}

// snapshot describes every file below dir by type, mode, content and target.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	check(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += " " + string(data)
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			text += " " + target
		}
		rel, err := filepath.Rel(dir, p)
		out["/"+rel] = text
		return err
	}))
	return out
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// do runs a task and fails the test if it waits.
func (r imageRun) do(t *testing.T, f Func) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f(t.Context(), r.Run) }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the task is still waiting after 30 s")
		return nil
	}
}

// wants compares the error of a task with a part of its text; "" means none.
func wants(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// matches compares the error of a task with a pattern for its text; "" means none.
func matches(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !regexp.MustCompile(want).MatchString(err.Error())) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// mkdir makes a directory in the image, if it is not there.
func (r imageRun) mkdir(p string) error {
	_, err := r.Root.MkdirAll(p, rootfs.Attr{Mode: 0o755})
	return err
}

// content returns a file of the image.
func (r imageRun) content(t *testing.T, p string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, p))
	check(t, err)
	return string(data)
}

// owned says mode and owner of a file of the image.
func (r imageRun) owned(t *testing.T, p string) (mode fs.FileMode, uid, gid int) {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Lstat(filepath.Join(r.dir, p), &st))
	return fs.FileMode(st.Mode & 0o7777), int(st.Uid), int(st.Gid)
}

// needsRoot skips a test that gives files away or makes namespaces.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("SNF_STRICT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
}
