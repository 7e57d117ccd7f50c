package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestDeploymentWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := Deployment{
		Version: "1", Mode: "deploy", Name: "web1", Success: true, Started: noon().UTC(), Seconds: 1.5,
		Image: &ImageRead{ID: "x", Format: "raw", Size: 5, Digest: "sha256:00"}, Disk: DiskWritten{Path: "/dev/a", Size: 10},
		Helper: &HelperUsed{Version: "1", Accelerator: "tcg", Confinement: []string{"sandbox"}},
		Tasks:  []TaskResult{{Name: "A", Outcome: Done, Seconds: 0.5}}, HostKeys: []HostKeyPrint{{"rsa", "SHA256:x"}},
		KnownHosts: []string{"web1 ssh-rsa AAAA"}, Timings: []Timing{{"copy", 1}},
	}
	if err := want.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Deployment
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

func TestDeploymentWriteFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "directory")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	var d Deployment
	if err := d.WriteFile(filepath.Join(dir, "no", "report")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("WriteFile into a missing directory = %v", err)
	}
	if err := d.WriteFile(target); err == nil {
		t.Error("WriteFile over a directory succeeded")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestDeploymentWriteFileToPipe: what is no file must not be replaced by one;
// for root, that would be the end of /dev/null.
func TestDeploymentWriteFileToPipe(t *testing.T) {
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
	d := Deployment{Name: "web1"}
	if err := errors.Join(CheckFile(path), d.WriteFile(path)); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(path); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("the pipe has become %v, %v", st.Mode(), err)
	}
	var got Deployment
	if err := json.NewDecoder(reader).Decode(&got); err != nil || got.Name != "web1" {
		t.Errorf("read %+v, %v", got, err)
	}
}

// TestDeploymentWriteFileToNobody: a pipe that nobody reads is no reason to wait.
func TestDeploymentWriteFileToNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(Deployment).WriteFile(path); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("WriteFile = %v, want %v", err, syscall.ENXIO)
	}
}

// TestCheckFileLink: a link would be replaced, and what it leads to be left as it is.
func TestCheckFileLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/file", nil, 0o600), os.Symlink("file", dir+"/link"), os.Symlink("/dev/null", dir+"/null")); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(dir + "/link"); err == nil {
		t.Error("CheckFile of a link to a file succeeded")
	}
	if err := CheckFile(dir + "/null"); err != nil {
		t.Errorf("CheckFile of a link to a device = %v", err)
	}
}

func TestCheckFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, ok := range map[string]bool{"report.json": true, "gone/report.json": false, ".": false} {
		if err := CheckFile(filepath.Join(dir, path)); (err == nil) != ok {
			t.Errorf("CheckFile(%q) = %v, want success %v", path, err, ok)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestCheckFileOnADevice: what is on a disk is not to be overwritten by JSON.
func TestCheckFileOnADevice(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot make a device node")
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 250))); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err == nil {
		t.Error("CheckFile of a block device succeeds")
	}
	if err := CheckFile(os.DevNull); err != nil {
		t.Errorf("CheckFile(%s) = %v", os.DevNull, err)
	}
}

func TestDeploymentFail(t *testing.T) {
	t.Parallel()
	d := Deployment{Success: true}
	failure := &Failure{Kind: Disk, What: "opening the disk", On: "/dev/a", Cause: errors.New("busy\x1b"), Remedy: "stop it"}
	d.Fail(fmt.Errorf("deploying: %w", failure))
	want := &Ending{Kind: Disk, Message: `deploying: opening the disk, on /dev/a: busy\x1b; stop it`, Remedy: "stop it"}
	if diff := cmp.Diff(want, d.Failure); diff != "" || d.Success {
		t.Errorf("Fail: success %v (-want +got):\n%s", d.Success, diff)
	}
	d.Fail(errors.New("odd"))
	if d.Failure.Kind != Internal || d.Failure.Remedy != "" {
		t.Errorf("Fail of a plain error = %+v", d.Failure)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such file")
	for want, f := range map[string]*Failure{
		"opening the disk": {What: "opening the disk"},
		"opening the disk, on /dev/a: no such file; give a disk": {What: "opening the disk", On: "/dev/a", Cause: cause, Remedy: "give a disk"},
	} {
		if got := f.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
	if f := (&Failure{Cause: cause}); !errors.Is(f, cause) {
		t.Error("the cause is lost")
	}
}
