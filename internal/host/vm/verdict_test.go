package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verdicts returns the Verdicts of a QEMU that is a file of the test.
func verdicts(t *testing.T) Verdicts {
	t.Helper()
	dir := t.TempDir()
	qemu := filepath.Join(dir, "qemu")
	if err := os.WriteFile(qemu, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	return Verdicts{Dir: filepath.Join(dir, "run"), QEMU: qemu, Kernel: "sha256:1"}
}

// remembered returns the file of the only verdict there is.
func remembered(t *testing.T, v Verdicts) string {
	t.Helper()
	if err := v.Remember("it was mute"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(v.Dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v, want one", files, err)
	}
	return files[0]
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	v := verdicts(t)
	if why, fails := v.Fails(); fails {
		t.Errorf("Fails() = %q before there is a verdict", why)
	}
	remembered(t, v)
	if why, fails := v.Fails(); !fails || !strings.HasPrefix(why, "it was mute, at 2") {
		t.Errorf("Fails() = %q, %v, want the verdict with its time", why, fails)
	}
	if err := v.Forget(); err != nil {
		t.Fatal(err)
	}
	if why, fails := v.Fails(); fails {
		t.Errorf("Fails() = %q after Forget", why)
	}
	if err := v.Forget(); err != nil {
		t.Errorf("Forget() without a verdict = %v", err)
	}
}

// TestVerdictIsAboutOneNodeAndQEMU: what the verdict is about changes, and so it
// does not hold.
func TestVerdictIsAboutOneNodeAndQEMU(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Verdicts) error{
		"another kernel of the helper": func(v *Verdicts) error { v.Kernel = "sha256:2"; return nil },
		"QEMU upgraded":                func(v *Verdicts) error { return os.WriteFile(v.QEMU, []byte("new"), 0o755) },
		"QEMU touched":                 func(v *Verdicts) error { return os.Chtimes(v.QEMU, time.Now(), time.Unix(1, 0)) },
		"QEMU removed":                 func(v *Verdicts) error { return os.Remove(v.QEMU) },
		"no place":                     func(v *Verdicts) error { v.Dir = ""; return nil },
	} {
		v := verdicts(t)
		remembered(t, v)
		if err := change(&v); err != nil {
			t.Fatal(err)
		}
		if why, fails := v.Fails(); fails {
			t.Errorf("%s: Fails() = %q", name, why)
		}
	}
}

// TestVerdictIsTrustedFromTheCallerAlone: a file that is damaged, of another boot or
// in the reach of others is as if there were none.
func TestVerdictIsTrustedFromTheCallerAlone(t *testing.T) {
	t.Parallel()
	replace := func(text string) func(dir, file string) error {
		return func(_, file string) error { return os.WriteFile(file, []byte(text), 0o600) }
	}
	for name, spoil := range map[string]func(dir, file string) error{
		"empty":                      replace(""),
		"garbage":                    replace("{{{"),
		"of another boot":            replace(`{"subject":"boot 0","why":"x"}`),
		"too long":                   replace(strings.Repeat(" ", maxVerdictBytes) + "{}"),
		"file others may write":      func(_, file string) error { return os.Chmod(file, 0o622) },
		"directory others may write": func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"a link": func(dir, file string) error {
			moved := dir + "-moved"
			if err := os.Rename(file, moved); err != nil {
				return err
			}
			return os.Symlink(moved, file)
		},
		"a directory": func(_, file string) error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return os.Mkdir(file, 0o700)
		},
	} {
		v := verdicts(t)
		if err := spoil(v.Dir, remembered(t, v)); err != nil {
			t.Fatal(err)
		}
		if why, fails := v.Fails(); fails {
			t.Errorf("%s: Fails() = %q", name, why)
		}
	}
}

func TestVerdictOfSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	v := verdicts(t)
	if err := os.Chown(remembered(t, v), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if why, fails := v.Fails(); fails {
		t.Errorf("Fails() = %q from a file of somebody else's", why)
	}
}

func TestRememberRefusesADirectoryOfOthers(t *testing.T) {
	t.Parallel()
	v := verdicts(t)
	if err := os.Mkdir(v.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(v.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := v.Remember("it was mute"); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("Remember() = %v, want a refusal", err)
	}
	v.Dir = filepath.Join(v.Dir, "no", "way")
	if err := v.Remember("it was mute"); err == nil {
		t.Error("Remember() below a missing directory succeeded")
	}
	v.Dir = ""
	if err := v.Remember("it was mute"); err != nil {
		t.Errorf("Remember() without a place = %v", err)
	}
}

// TestVerdictsAreBounded: each upgrade of QEMU leaves one.
func TestVerdictsAreBounded(t *testing.T) {
	t.Parallel()
	v := verdicts(t)
	for i := range maxVerdicts + 5 {
		v.Kernel = strings.Repeat("x", i)
		if err := v.Remember("it was mute"); err != nil {
			t.Fatal(err)
		}
		if _, fails := v.Fails(); !fails {
			t.Fatalf("verdict %d is forgotten", i)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(v.Dir, "*")); len(files) > maxVerdicts {
		t.Errorf("%d files, want at most %d", len(files), maxVerdicts)
	}
}

func TestVerdictsGrowOld(t *testing.T) {
	t.Parallel()
	v := Verdicts{Dir: filepath.Join(t.TempDir(), "run"), QEMU: "/bin/true", Kernel: "k"}
	if err := v.Remember("it was mute"); err != nil {
		t.Fatal(err)
	}
	subject, path, err := v.place()
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]bool{
		-time.Hour: false, 0: true, verdictLife - time.Minute: true, verdictLife + time.Minute: false,
	} {
		text, err := json.Marshal(verdict{Subject: subject, Why: "it was mute", When: time.Now().Add(-age)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, fails := v.Fails(); fails != want {
			t.Errorf("Fails() of a verdict %s old = %v, want %v", age, fails, want)
		}
	}
}
