package script

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/internal/spec"
	"snf-image/tests/golden"
)

// answers are paths of answer files.
var answers = []string{"/unattend.xml", "/autounattend.xml", "/Windows/Panther/unattend.xml", "/Windows/Panther/Unattend/unattend.xml"}

// TestScripts compares the scripts with those that wine has run.
func TestScripts(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/*.txtar", func(t *testing.T, comment, input string) []txtar.File {
		var data []byte
		var err error
		switch comment {
		case "passwords":
			users := strings.Fields(input)
			data, err = SetPasswords(users[1:], spec.Secret(users[0]), false)
		case "complete":
			data = SetupComplete([]byte(input), answers)
		case "netsh":
			data, _ = ConfigureNetwork(interfaces(), false)
		case "powershell":
			_, data = ConfigureNetwork(interfaces(), true)
		default:
			data = bytes.Join([][]byte{ExtendFilesystem(0), ExtendFilesystem(4), EnableRecovery(), RestoreRemoteDesktop(0, true), RestoreRemoteDesktop(0, false)}, nil)
		}
		if n := bytes.Count(data, []byte("\n")) - bytes.Count(data, []byte("\r\n")); n != 0 || bytes.ContainsFunc(data, func(r rune) bool { return r > '~' }) {
			t.Errorf("%d line ends of Unix, or not ASCII:\n%q", n, data)
		}
		return golden.Result(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), err)
	})
}

// TestAddPasswords keeps what a former script does for other accounts, as it is.
func TestAddPasswords(t *testing.T) {
	t.Parallel()
	made := func(password string, users ...string) []byte {
		data, err := SetPasswords(users, spec.Secret(password), false)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	body := func(data []byte) string {
		_, text, _ := strings.Cut(string(data), "\r\nsetlocal EnableExtensions DisableDelayedExpansion\r\n")
		return strings.TrimSuffix(text, last+"\r\n")
	}
	former := made("old", "Administrator", "Müller", "anna")
	for name, c := range map[string]struct{ script, former, want []byte }{
		"others":    {made("new", "web"), former, append([]byte(body(former)), body(made("new", "web"))...)},
		"the same":  {made("new", "ADMINISTRATOR", "MÜLLER", "Anna"), former, []byte(body(made("new", "ADMINISTRATOR", "MÜLLER", "Anna")))},
		"empty":     {made("new", "web"), nil, []byte(body(made("new", "web")))},
		"not ours":  {made("new", "web"), []byte("echo a\r\n"), []byte(body(made("new", "web")))},
		"repeated":  {made("new", "web", "WEB"), nil, []byte(body(made("new", "web", "WEB")))},
		"cut short": {made("new", "web"), []byte(account), append([]byte(account+"\r\n"), body(made("new", "web"))...)},
	} {
		got := AddPasswords(c.script, c.former)
		if body(got) != string(c.want) || !bytes.HasPrefix(got, []byte("@echo off\r\n")) || !bytes.HasSuffix(got, []byte("\r\n"+last+"\r\n")) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestRefusedPasswords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		user, password string
		old            bool
	}{
		{"a", strings.Repeat("x", 128), false},
		{"a", strings.Repeat("🙂", 64), false},
		{"a", "line\nfeed", false},
		{"a", "carriage\rreturn", false},
		{"a", "nul\x00", false},
		{"a", "tab\t", false},
		{"a", "not UTF-8 \xff", false},
		{"a", "κωδικός", true},
		{"a", "/delete", true},
		{"a", "*", true},
		{"μ", "x", true},
	} {
		out, err := SetPasswords([]string{c.user}, spec.Secret(c.password), c.old)
		if !errors.Is(err, ErrUnquotable) || strings.Contains(err.Error(), c.password) && c.password != "*" {
			t.Errorf("%q: %q, %v", c.password, out, err)
		}
	}
	for _, user := range []string{"", " ", ".", "...", "a/b", `a\b`, "a:b", `"`, "a*", "a?", "a@b", "a<b", "a\nb", strings.Repeat("x", 21)} {
		if out, err := SetPasswords([]string{user}, "x", false); err == nil {
			t.Errorf("account %q: %q", user, out)
		}
	}
}

// TestSecretsOnCommandLines: Windows keeps the command lines of PowerShell in its event log,
// where a password would stay for ever.
func TestSecretsOnCommandLines(t *testing.T) {
	t.Parallel()
	script := func(password string) []string {
		data, err := SetPasswords([]string{"Administrator", "Müller"}, spec.Secret(password), false)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(strings.Split(string(data), "\r\n"), func(line string) bool { return !strings.Contains(line, "powershell") })
	}
	one, other := script("пароль"), script("密码")
	if len(one) != 2 || one[0] != one[1] || !slices.Equal(one, other) {
		t.Errorf("the command lines depend on the account or the password:\n%q\n%q", one, other)
	}
}

// TestSetupCompleteAgain replaces what an earlier deployment added.
func TestSetupCompleteAgain(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"", "echo a\n", "\xef\xbb\xbfecho a\r\nexit\r\n\x1a"} {
		once := SetupComplete([]byte(own), answers)
		if again := SetupComplete(once, answers); !bytes.Equal(once, again) {
			t.Errorf("%q:\n%s\nagain:\n%s", own, once, again)
		}
		if own != "" && !bytes.Contains(once, []byte("\r\necho a\r\n")) {
			t.Errorf("%q: %s", own, once)
		}
	}
}

// TestHiddenAside: of the answer files that were set aside the hidden ones are found, too, which
// patterns of cmd.exe leave out.
func TestHiddenAside(t *testing.T) {
	t.Parallel()
	text := string(SetupComplete(nil, answers))
	_, body, found := strings.Cut(text, "\r\n:snf_aside\r\n")
	shown, wiped := strings.Index(body, "attrib -r -s -h %1 "), strings.Index(body, "for %%F in (%1) do call :snf_wipe ")
	if !found || shown != 0 || wiped < shown {
		t.Errorf("attributes are taken away at %d, what is found is wiped at %d of\n%s", shown, wiped, text)
	}
	for _, pattern := range []string{`unattend.xml.bak.*`, `Windows\Panther\Unattend\unattend.xml.bak.*`, `Windows\SnfScripts\ChangeAdminPassword.cmd.bak.*`} {
		if strings.Count(text, `call :snf_aside %SystemDrive%\`+pattern+"\r\n") != 1 {
			t.Errorf("%s is not looked for", pattern)
		}
	}
}

func FuzzSetupComplete(f *testing.F) {
	f.Add([]byte("echo a\r\n:b\r\ngoto b\r\n"))
	f.Add(SetupComplete([]byte("exit"), nil))
	f.Fuzz(func(t *testing.T, own []byte) {
		once := SetupComplete(own, answers)
		if bytes.Count(once, []byte("\r\n"+end+"\r\n")) != 1 || !bytes.HasSuffix(once, []byte(end+"\r\n")) {
			t.Fatalf("%q", once)
		}
		if again := SetupComplete(once, answers); !bytes.Equal(once, again) {
			t.Fatalf("%q again %q", once, again)
		}
	})
}
