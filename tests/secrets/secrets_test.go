package secrets

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
)

// TestProcesses searches decoys, and a process that secrets are handed to in its
// environment: there they are nothing, in that of its child they are.
func TestProcesses(t *testing.T) {
	t.Parallel()
	texts := Decoys(nil)
	texts["handed over"], texts["passed on"] = Unique("secret"), Unique("secret")
	receiver := exec.Command("sh", "-c", `unset HANDED; sh -c "read line; :" child; :`, "receiver")
	receiver.Env = append(os.Environ(), "HANDED="+texts["handed over"], "PASSED="+texts["passed on"])

	s := Begin(t, Options{Texts: texts, Handover: [][]string{receiver.Args}})
	defer start(t, receiver)()
	defer Plant(t, texts, nil)()
	want := append(Planted(nil), Environment+": passed on")
	harness.Within(10*time.Second, func() bool { return len(s.Found()) >= len(want) })
	s.End() // looks once more, at all of them
	s.Check(want)
	if !s.Saw("child; : receiver") || s.Saw("receiver of nothing") {
		t.Error("the command lines that were seen are not those that ran")
	}
}

// TestWritten has another process write files and remove them at once.
func TestWritten(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("fanotify(7) needs CAP_SYS_ADMIN")
	}
	// Alone on its file system: each file there that is closed is open here for a
	// moment, which other packages' tests may not expect of theirs.
	base, err := os.MkdirTemp("/dev/shm", "secrets-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	files := []string{"here/file", "here/some/where/file", "here/not/file", "here/not/but/file", "elsewhere/file", "hereafter/file", "here/named"}
	texts := map[string]string{}
	for _, name := range files {
		texts[name] = Unique("file")
		if err := os.MkdirAll(filepath.Dir(filepath.Join(base, name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := Begin(t, Options{Texts: texts, Dirs: []string{base + "/here", base + "/here/not/but"}, Except: []string{base, base + "/here/not"}})
	for _, name := range files[:6] {
		writeAndRemove(t, filepath.Join(base, name), texts[name])
	}
	named := harness.File(t, base+"/here", texts["here/named"], "")
	if err := os.Remove(named); err != nil {
		t.Fatal(err)
	}
	s.End()
	s.Check([]string{
		Temporary + ": here/file", Temporary + ": here/some/where/file", Temporary + ": here/not/but/file", Temporary + ": here/named",
	})
}

func writeAndRemove(t *testing.T, path, text string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `cat >"$1" && rm "$1"`, "sh", path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestRead finds texts wherever they lie in a long file, but for its far end.
func TestRead(t *testing.T) {
	t.Parallel()
	const text = "canary"
	s := &Search{Options: Options{Texts: map[string]string{"it": text, "a longer one": strings.Repeat("long", 20)}}}
	for _, at := range []int{0, 1, piece - 3, piece, 2*piece + 76, 3*piece - 1, maxFile - len(text)} {
		if got := s.read(strings.NewReader(strings.Repeat("c", at) + text)); !cmp.Equal(got, []string{"it"}) {
			t.Errorf("at %d: found %q", at, got)
		}
	}
	for _, none := range []string{"", "canar", strings.Repeat("c", maxFile-5) + text} {
		if got := s.read(strings.NewReader(none)); len(got) > 0 {
			t.Errorf("found %q in %d bytes without it", got, len(none))
		}
	}
}

// TestTree looks at files and says when there is none.
func TestTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	canaries := NewCanaries()
	if err := os.MkdirAll(filepath.Join(dir, "log/os"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := harness.File(t, filepath.Join(dir, "log/os"), "add.log", "[DEBUG] "+canaries.Key+"\n")
	s := Begin(t, Options{Texts: canaries.Texts})
	s.Tree("logs", filepath.Join(dir, "log"))
	s.Text("report", "report.json", `{"data":"`+canaries.UserData+`"}`)
	want := []Finding{
		{"logs", "comment of the key", file},
		{"logs", "key", file},
		{"report", "user-data in base64 after 0", "report.json"},
		{"report", "user-data in base64", "report.json"},
	}
	if d := cmp.Diff(want, s.Found()); d != "" {
		t.Errorf("found (-want +got):\n%s", d)
	}
	s.Check([]string{"report: user-data in base64", "report: user-data in base64 after 0", "logs: key", "logs: comment of the key"})
}

// TestCanaries decodes what is encoded and has everything differ.
func TestCanaries(t *testing.T) {
	t.Parallel()
	c := NewCanaries()
	blob, err := base64.StdEncoding.DecodeString(c.Texts["key"])
	if err != nil || len(blob) != 4+11+4+32 || !strings.HasPrefix(c.Key, "ssh-ed25519 "+c.Texts["key"]+" ") {
		t.Errorf("key %q, %v", c.Key, err)
	}
	data, err := base64.StdEncoding.DecodeString(c.UserData)
	if err != nil || !strings.Contains(string(data), c.Texts["user-data"]) {
		t.Errorf("user-data %q, %v", data, err)
	}
	for name, text := range NewCanaries().Texts {
		if text == c.Texts[name] || len(text) < 20 {
			t.Errorf("%s is %q again", name, text)
		}
	}
}

// TestForms compares the forms with what real programs print.
func TestForms(t *testing.T) {
	t.Parallel()
	const text = `canary it's "<&>"`
	forms := Forms(text)
	for name, script := range map[string]string{
		"quoted":            `(set -x; : "$1") 2>&1`,
		"in hexadecimal":    `printf %s "$1" | od -An -v -tx1 -w99 | tr -d ' '`,
		"in HEXADECIMAL":    `printf %s "$1" | od -An -v -tx1 -w99 | tr -d ' ' | tr a-f A-F`,
		"in a dump":         `printf %s "$1" | od -An -v -tx1 -w99`,
		"in base64 after 0": `printf %s "$1" | base64`,
		"in base64 after 1": `printf 1%s "$1" | base64`,
		"in base64 after 2": `printf 12%s "$1" | base64`,
		"in a form":         `echo 'canary+it%27s+%22%3C%26%3E%22'`,
		"in a path":         `echo 'canary%20it%27s%20%22%3C&%3E%22'`,
		"in a batch file":   `echo 'canary it'"'"'s \^"^<^&^>\^"'`,
		"in JSON":           `echo 'canary it'"'"'s \"\u003c\u0026\u003e\"'`,
	} {
		out, err := exec.Command("bash", "-c", script, "bash", text).Output()
		if err != nil || len(forms[name]) < len(text) || !strings.Contains(string(out), forms[name]) {
			t.Errorf("%s: %q is not in %q (%v)", name, forms[name], out, err)
		}
		delete(forms, name)
	}
	if len(forms) > 0 {
		t.Errorf("forms without a program: %q", forms)
	}
}
