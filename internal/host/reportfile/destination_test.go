package reportfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"snf-image/internal/report"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// writeFile opens a destination and puts a report there.
func writeFile(path string, d *report.Deployment) error {
	to, err := Open(path)
	if err != nil {
		return err
	}
	return errors.Join(to.Put(d), to.Close())
}

// checkFile opens a destination.
func checkFile(path string) error {
	to, err := Open(path)
	if err != nil {
		return err
	}
	return to.Close()
}

func TestDestination(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := report.Deployment{
		Version: "1", Mode: "deploy", Name: "web1", Success: true, Started: time.Now().UTC().Round(0), Seconds: 1.5,
		Image: &report.ImageRead{ID: "x", Format: "raw", Size: 5, Digest: "sha256:00"}, Disk: report.DiskWritten{Path: "/dev/a", Size: 10},
		Helper: &report.HelperUsed{Version: "1", Accelerator: "tcg", Confinement: []string{"sandbox"}},
		Tasks:  []report.TaskResult{{Name: "A", Outcome: report.Done, Seconds: 0.5}}, HostKeys: []report.HostKeyPrint{{Type: "rsa", Fingerprint: "SHA256:x"}},
		KnownHosts: []string{"web1 ssh-rsa AAAA"}, Timings: []report.Timing{{Step: "copy", Seconds: 1}},
	}
	if err := writeFile(path, &want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got report.Deployment
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", st.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestDestinationErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "directory")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	var d report.Deployment
	if err := writeFile(filepath.Join(dir, "no", "report"), &d); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Put into a missing directory = %v", err)
	}
	if err := writeFile(target, &d); err == nil {
		t.Error("Put over a directory succeeded")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestDestinationPipe: a pipe must not be replaced by a file;
// for root, that would be the end of /dev/null.
func TestDestinationPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	d := report.Deployment{Name: "web1"}
	if err := writeFile(path, &d); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(path); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("the pipe has become %v, %v", st.Mode(), err)
	}
	var got report.Deployment
	if err := json.NewDecoder(reader).Decode(&got); err != nil || got.Name != "web1" {
		t.Errorf("read %+v, %v", got, err)
	}
}

// TestDestinationNobody: nothing waits for a pipe that nobody reads.
func TestDestinationNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, new(report.Deployment)); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("Put = %v, want %v", err, syscall.ENXIO)
	}
}

// TestDestinationLink: a link would be replaced, and what it leads to be left as it is.
func TestDestinationLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/file", nil, 0o600), os.Symlink("file", dir+"/link"), os.Symlink("/dev/null", dir+"/null")); err != nil {
		t.Fatal(err)
	}
	if err := checkFile(dir + "/link"); err == nil {
		t.Error("Open of a link to a file succeeded")
	}
	if err := checkFile(dir + "/null"); err != nil {
		t.Errorf("Open of a link to a device = %v", err)
	}
}

func TestDestinationRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, ok := range map[string]bool{"report.json": true, "gone/report.json": false, ".": false} {
		if err := checkFile(filepath.Join(dir, path)); (err == nil) != ok {
			t.Errorf("Open(%q) = %v, want success %v", path, err, ok)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestDestinationDevice: what is on a disk is not to be overwritten by JSON.
func TestDestinationDevice(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot make a device node")
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 250))); err != nil {
		t.Fatal(err)
	}
	if err := checkFile(path); err == nil {
		t.Error("Open of a block device succeeds")
	}
	if err := checkFile(os.DevNull); err != nil {
		t.Errorf("Open(%s) = %v", os.DevNull, err)
	}
}

// TestDestinationReplaced has somebody who may write to the directory of the report
// put something else in its place while there is nothing to report yet.
func TestDestinationReplaced(t *testing.T) {
	t.Parallel()
	for name, swap := range map[string]func(dir, victim string) error{
		"a link":      func(dir, victim string) error { return os.Symlink(victim, dir+"/report") },
		"a hard link": func(dir, victim string) error { return os.Link(victim, dir+"/report") },
		"another directory": func(dir, victim string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Symlink(filepath.Dir(victim), dir))
		},
	} {
		top := t.TempDir()
		dir, victim := filepath.Join(top, "theirs"), filepath.Join(top, "ours/report")
		err := errors.Join(os.Mkdir(dir, 0o755), os.Mkdir(filepath.Dir(victim), 0o755), os.WriteFile(victim, []byte("precious"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		to, err := Open(dir + "/report")
		if err != nil {
			t.Fatal(err)
		}
		if err := swap(dir, victim); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(to.Put(&report.Deployment{Name: "web1"}), to.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
			t.Errorf("%s: a file elsewhere has become %q, %v", name, text, err)
		}
	}
}

// TestDestinationReplacedStream writes to the pipe that was there, not to what has
// its name at the end.
func TestDestinationReplacedStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(syscall.Mkfifo(dir+"/pipe", 0o600), os.WriteFile(dir+"/victim", []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(dir+"/pipe", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	to, err := Open(dir + "/pipe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(dir+"/pipe"), os.Symlink("victim", dir+"/pipe")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(to.Put(&report.Deployment{Name: "web1"}), to.Close()); err != nil {
		t.Fatal(err)
	}
	var got report.Deployment
	if err := json.NewDecoder(reader).Decode(&got); err != nil || got.Name != "web1" {
		t.Errorf("read %+v, %v", got, err)
	}
	if text, err := os.ReadFile(dir + "/victim"); err != nil || string(text) != "precious" {
		t.Errorf("the file a link leads to has become %q, %v", text, err)
	}
}
