package jail

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if Asked(os.Args) {
		Main(os.Args)
		return
	}
	os.Exit(m.Run())
}

// TestAttemptsWork is the positive control: root who is not confined can do all of it, as far as a test
// may let it happen to this machine, or as this kernel knows it.
func TestAttemptsWork(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // others are refused by the kernel anyhow
	}
	left := []string{
		"mount", "make a process", // would stay
		"gain capabilities", "raise a limit", // has them all
		"load a kernel module", "call the kernel as a 32-bit program", // of some kernels only
	}
	var names []string
	for _, name := range Names() {
		if !slices.Contains(left, name) && name != "execute /bin/sh" {
			names = append(names, name)
		}
	}
	names = append(names, "execute /bin/sh") // nothing follows it
	cmd := exec.Command(os.Args[0], NewFixture(t).Args(names...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := Outcomes(string(out))
	for _, name := range names {
		if got[name] != Allowed {
			t.Errorf("%s: %s", name, got[name])
		}
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	if got := strings.Join(cells("| a b | c |  |"), "/"); got != "a b/c/" {
		t.Errorf("cells = %q", got)
	}
}
