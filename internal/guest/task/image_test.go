package task

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/report"
	"snf-image/internal/spec"
	"snf-image/tests/tree"
)

// imageRun is a Run on a tree instead of a mounted image.
type imageRun struct {
	*Run
	dir string
	log *bytes.Buffer
}

// newImageRun makes a tree of files, as tree.New describes them.
func newImageRun(t *testing.T, files map[string]string) imageRun {
	t.Helper()
	dir := tree.New(t, files).Dir
	root, err := rootfs.Open(dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	var log bytes.Buffer
	return imageRun{dir: dir, log: &log, Run: &Run{
		Plan:        &spec.Plan{Users: []string{"root"}, UnixTime: 20000 * secondsOfDay, MachineID: strings.Repeat("ab", 16)},
		Credentials: &spec.Credentials{},
		Inspection:  &report.Inspection{OSFamily: "linux"},
		Root:        root,
		Target:      dir,
		Log:         slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	return tree.Tree{Dir: dir}.Snapshot(t)
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

// content returns a file of the image.
func (r imageRun) content(t *testing.T, p string) string {
	t.Helper()
	return tree.Tree{Dir: r.dir}.Content(t, p)
}

// owned returns mode and owner of a file of the image.
func (r imageRun) owned(t *testing.T, p string) (mode fs.FileMode, uid, gid int) {
	t.Helper()
	return tree.Tree{Dir: r.dir}.Owned(t, p)
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
