package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPasswordFlagIsRefused never repeats what stood behind it.
func TestPasswordFlagIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"deploy", "--image", "x", "--disk", "y", "--name", "z", "--password", "hunter2"},
		{"deploy", "--password=hunter2"},
		{"customize", "--disk", "y", "--password"},
	} {
		code, stdout, stderr := commanded(t, t.Context(), strings.NewReader(""), args...)
		if code != 2 || !strings.Contains(stderr, "--password-file FILE, or pipe it to --password-file -") {
			t.Errorf("%v: exit code %d, %q, want 2 and the way", args, code, stderr)
		}
		if strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%v: the password is in the message: %q", args, stderr)
		}
	}
}

func TestUnknownFlagHint(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{
		"--pasword-file": "did you mean --password-file?", "--dsik": "did you mean --disk?", "--xyzzy": `see "snf-image deploy --help"`,
	} {
		if code, _, stderr := commanded(t, t.Context(), strings.NewReader(""), "deploy", flag, "x"); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, want 2 and %q", flag, code, stderr, want)
		}
	}
}

// TestUnknownCommandHint: flags behind a misspelled command are not what is wrong.
func TestUnknownCommandHint(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"deploi"}, {"deploi", "--image", "x"}} {
		code, _, stderr := commanded(t, t.Context(), strings.NewReader(""), args...)
		if code != 2 || !strings.Contains(stderr, `unknown command "deploi"; did you mean deploy?`) {
			t.Errorf("%v: exit code %d, %q, want 2 and the command that is meant", args, code, stderr)
		}
	}
}

// TestAliases gives values by the other names of flags.
func TestAliases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for path, text := range map[string]string{one: "ssh-ed25519 first", two: "ssh-ed25519 second\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{stderr: new(strings.Builder)}
	p := new(parameterFlags)
	cmd := a.root().Commands()[0]
	for _, c := range a.root().Commands() {
		if c.Name() == "deploy" {
			cmd = c
		}
	}
	cmd.ResetFlags()
	p.add(cmd)
	if err := cmd.ParseFlags([]string{"--hostname", "web1", "--ssh-key", one, "--authorized-keys", two}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{one, two}, p.KeysFiles); p.Name != "web1" || diff != "" {
		t.Errorf("name %q, want web1; files of keys (-want +got):\n%s", p.Name, diff)
	}
}

func TestCustomizeWantsSomethingToDo(t *testing.T) {
	t.Parallel()
	code, _, stderr := commanded(t, t.Context(), strings.NewReader(""), "customize", "--disk", "y", "--property", "USERS=web")
	if code != 2 || !strings.Contains(stderr, "nothing is asked for; say what is to be changed") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}
