package harness

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	args := []string{"a-b_c.d/e:f=g", "", "two words", "it's"}
	want := `a-b_c.d/e:f=g '' 'two words' 'it'\''s'`
	if got := Quote(args); got != want {
		t.Errorf("Quote = %s, want %s", got, want)
	}
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+want).Output()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Join(args, "\n")+"\n", string(out)); d != "" {
		t.Errorf("a shell reads (-want +got):\n%s", d)
	}
}

// TestHolders shows that a process that has a file open is found, and is not
// found any more when it has ended.
func TestHolders(t *testing.T) {
	t.Parallel()
	path := File(t, t.TempDir(), "disk", "x")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("cat")
	cmd.ExtraFiles = []*os.File{f}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := holders([]string{path}); len(got) != 1 || !strings.Contains(got[0], "(cat") {
		t.Errorf("holders while cat runs = %q, want cat", got)
	}
	if got := Children(os.Getpid(), "cat"); len(got) != 1 {
		t.Errorf("Children = %v, want cat", got)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := holders([]string{path}); len(got) != 0 {
		t.Errorf("holders afterwards = %q, want none", got)
	}
}

func TestSnapshotFindsNewFiles(t *testing.T) {
	t.Parallel()
	before := Snapshot("/nonexistent", "/tmp")
	f, err := os.CreateTemp("/tmp", "snapshot-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	got := strings.Join(Snapshot("/nonexistent", "/tmp").New(before), "\n")
	if !strings.Contains(got, "file "+f.Name()) {
		t.Errorf("new since the snapshot: %s, want %s in it", got, f.Name())
	}
	if got := strings.Join(Snapshot(f.Name(), "/tmp").New(before), "\n"); strings.Contains(got, f.Name()) {
		t.Errorf("new since the snapshot: %s, want %s left out", got, f.Name())
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path   string
		places []string
		want   bool
	}{
		{"/tmp/tmp.x", nil, true}, {"/tmp/tmp.x/dev", []string{"/run"}, true}, {"/tmp/tmp.x", Places, false}, {"/mnt", nil, false}, {"/tmpfs", nil, false},
	} {
		if got := elsewhere(c.path, c.places); got != c.want {
			t.Errorf("elsewhere(%q, %q) = %v", c.path, c.places, got)
		}
	}
}
