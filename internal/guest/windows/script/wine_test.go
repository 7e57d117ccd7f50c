package script

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
	"snf-image/tests/wine"
)

const top = "../../../.."

// texts are passwords of all kinds: every character that means something to cmd.exe, the C
// runtime or PowerShell, alone, doubled, in quotes and in a word, long ones, and other scripts.
func texts() []string {
	out := []string{
		"", " ", "a b", " a", "a ", "simple", "%PATH%", "%%PATH%%", "!PATH!", "^!PATH^!", `\`, `\\`, `a\`, `a\\`, `\"`, `\\"`, `"a\"`, `a\\\"b\\`,
		"a&calc", `"&calc&"`, `" & calc & "`, "a|more", "a>file", "a>>file", "a<file", "2>&1", "(a)", ")", "(", "((", "@a", "@echo off", ":label", "::", "rem x",
		"/random", "/delete", "/", "*", "**", "?", "/?", "-x", "%1", "%~1", "%*", "%%1", "%errorlevel%", "%~f0", "%%I", "^", "^^", "^^^^", "^\"", "'a'", "`a`", "$env:X", "$(x)", "~", "#", "{a}", "[a]", "a;b", "a,b", "a=b", "=", ";", ",",
		strings.Repeat("x", 127), strings.Repeat(`"`, 127), strings.Repeat("%", 127), strings.Repeat("^", 127), strings.Repeat(`\`, 127), strings.Repeat("&", 127), strings.Repeat(" ", 127),
		"fifteen-or-more-characters", "Tr0ub4dor&3", `p@ss"w0rd'`, "correct horse battery staple",
		"κωδικός", "пароль", "密码パスワード", "비밀번호", "🙂🔑", "é", "Ünïcödé", "‘typographic’", "“quotes”", "‚low‛", "a\u00a0b", "שלום", strings.Repeat("ж", 127), "é" + `"'%^&|<>!`,
	}
	for _, c := range "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" {
		s := string(c)
		out = append(out, s, s+s, `"`+s+`"`, "a"+s+"b", s+" "+s)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// accounts are names of accounts, those of Windows' own rules.
var accounts = []string{
	"Administrator", "Web Admin", "O'Neil", "a&b", "a^b", "100%", "%PATH%", "!x!", "(a)", "a)b", "$x", "{a}", "`a`", "~", "#1", "a.b", "a-b", "a_b", "-a",
	"Администратор", "Διαχειριστής", "管理员", "Müller",
}

// TestWineInVM runs the scripts by cmd.exe: each password and each name arrives at its program
// as it is. It boots nothing, but needs root and wine.
func TestWineInVM(t *testing.T) {
	w := wine.New(t, top)
	passwords := texts()
	if len(passwords) < 200 {
		t.Fatalf("%d passwords", len(passwords))
	}
	t.Run("passwords", func(t *testing.T) { testPasswords(t, w, passwords) })
	t.Run("complete", func(t *testing.T) { testComplete(t, w) })
	t.Run("own", func(t *testing.T) { testOwn(t, w) })
	t.Run("others", func(t *testing.T) { testOthers(t, w) })
	t.Run("parsed", testParsed)
}

// login is what a program was told to set.
type login struct{ User, Password string }

func testPasswords(t *testing.T, w *wine.Windows, passwords []string) {
	var want []login
	all := "@echo off\r\n"
	add := func(user, password string) {
		text, err := SetPasswords([]string{user}, spec.Secret(password), false)
		if err != nil {
			t.Fatalf("%q, %q: %v", user, password, err)
		}
		name := fmt.Sprintf("set%d.cmd", len(want))
		w.Write("work/"+name, text)
		all += `call C:\work\` + name + "\r\n"
		want = append(want, login{user, password})
	}
	for _, p := range passwords {
		add("Administrator", p)
	}
	for _, a := range accounts {
		add(a, "p w")
	}
	w.Write("work/all.cmd", []byte(all))
	printed := w.Run(`C:\work\all.cmd`)
	var got []login
	for _, c := range w.Calls() {
		got = append(got, loginOf(t, c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arrived otherwise (-want +got):\n%s\n%s", diff, printed)
	}
	t.Logf("%d passwords and names", len(got))
}

// loginOf returns what a call sets. Its flags are always the same.
func loginOf(t *testing.T, c wine.Call) login {
	t.Helper()
	flags := []string{"/ACTIVE:YES", "/EXPIRES:NEVER", "/PASSWORDREQ:YES", "/Y"}
	if c.Program == "net" {
		if len(c.Arguments) != 7 || c.Arguments[0] != "user" || !slices.Equal(c.Arguments[3:], flags) {
			t.Fatalf("net was started with %q", c.Arguments)
		}
		return login{c.Arguments[1], c.Arguments[2]}
	}
	if c.Program != "powershell" || c.Text != byPowerShell {
		t.Fatalf("%s was started with %q", c.Program, c.Text)
	}
	return login{fromWide(c.Variables["SNF_NAME"]), fromWide(c.Variables["SNF_PASSWORD"])}
}

// secret is a password that must not be left anywhere.
const secret = "Pa55w0rd-left-behind"

// copies are copies of the answer file and of the script with passwords.
var copies = []string{
	"/unattend.xml.bak.20261126.080910", "/autounattend.xml", "/windows/Panther/Unattend/unattend.xml", "/windows/Panther/autounattend.xml.bak.20261126.080910.1",
	"/windows/SnfScripts/ChangeAdminPassword.cmd.bak.20261126.080910",
	"/windows/Panther/unattend.xml", "/windows/Panther/unattend-original.xml",
}

// deploy lays out what a deployment leaves on C:.
func deploy(t *testing.T, w *wine.Windows, own string) {
	t.Helper()
	text, err := SetPasswords([]string{"Administrator", "Müller", "anna"}, secret, false)
	if err != nil {
		t.Fatal(err)
	}
	for p, data := range map[string][]byte{
		Passwords: text, Extend: ExtendFilesystem(2), Remote: RestoreRemoteDesktop(0, true), Recovery: EnableRecovery(),
		"/unattend.xml": []byte("<Value>" + secret + "</Value>"),
		Complete:        SetupComplete([]byte(own), append(answers, "/Windows/Panther/autounattend.xml")),
	} {
		w.Write(strings.Replace(p, "/Windows/", "/windows/", 1), data)
	}
	for _, p := range copies {
		w.Write(p, []byte(secret))
	}
}

// checkClean looks for what must not be left on C:.
func checkClean(t *testing.T, w *wine.Windows) {
	t.Helper()
	for _, gone := range append([]string{"windows/SnfScripts", "unattend.xml"}, copies...) {
		if _, err := os.Lstat(filepath.Join(w.Drive, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
	wide := string(wide(secret))
	for _, dir := range []string{"windows/Setup", "windows/Panther", "users", "windows/temp"} {
		_ = filepath.WalkDir(filepath.Join(w.Drive, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if data, _ := os.ReadFile(p); strings.Contains(string(data), secret) || strings.Contains(string(data), wide) {
				t.Errorf("%s holds the password", p)
			}
			return nil
		})
	}
}

// programs returns the names of the programs that were started.
func programs(calls []wine.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.Program)
	}
	return out
}

// inComplete is what SetupComplete starts: three accounts' passwords are set, nine files
// overwritten.
var inComplete = []string{"net", "powershell", "net", "fsutil", "fsutil", "fsutil", "fsutil", "fsutil", "fsutil", "fsutil", "fsutil", "fsutil", "reagentc", "reg"}

func testComplete(t *testing.T, w *wine.Windows) {
	deploy(t, w, "")
	printed := w.Run(`C:\windows\Setup\Scripts\SetupComplete.cmd`)
	calls := w.Calls()
	if got := programs(calls); !slices.Equal(got, inComplete) {
		t.Errorf("started %q: %s", got, printed)
	}
	for _, c := range calls {
		if c.Program == "reg" && !slices.Equal(c.Arguments, []string{"add", `HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server`, "/v", "fDenyTSConnections", "/t", "REG_DWORD", "/d", "0", "/f"}) {
			t.Errorf("reg was started with %q", c.Arguments)
		}
	}
	checkClean(t, w)
	w.Write("unattend.xml", []byte("of who seals it again"))
	printed = w.Run(`C:\windows\Setup\Scripts\SetupComplete.cmd`)
	if calls := w.Calls(); len(calls) > 0 {
		t.Errorf("again, it started %q: %s", programs(calls), printed)
	}
	if _, err := os.Lstat(filepath.Join(w.Drive, "unattend.xml")); err != nil {
		t.Error(err)
	}
}

// testOwn has scripts of images that end in every way.
func testOwn(t *testing.T, w *wine.Windows) {
	for name, own := range map[string]string{
		"runs through":   "echo one>>C:\\work\\own.txt\necho two>>C:\\work\\own.txt\n",
		"exit":           "@echo off\r\necho one>>C:\\work\\own.txt\r\nif exist C:\\windows exit 3\r\n",
		"exit /b":        "echo one>>C:\\work\\own.txt\nexit /b 1\n",
		"goto :eof":      "echo one>>C:\\work\\own.txt\ngoto :eof\n:label\necho never>>C:\\work\\own.txt",
		"without call":   "echo one>>C:\\work\\own.txt\nC:\\work\\other.cmd\necho never>>C:\\work\\own.txt\n",
		"changes itself": "@setlocal EnableDelayedExpansion\n@set SNF=x\n@cd /d C:\\\n@echo one>>C:\\work\\own.txt\n",
	} {
		w.Write("work/other.cmd", []byte("@echo off\r\nrem nothing\r\n"))
		w.Write("work/own.txt", nil)
		deploy(t, w, own)
		printed := w.Run(`C:\windows\Setup\Scripts\SetupComplete.cmd`)
		if got := programs(w.Calls()); !slices.Equal(got, inComplete) {
			t.Errorf("%s: started %q: %s", name, got, printed)
		}
		data, err := os.ReadFile(filepath.Join(w.Drive, "work/own.txt"))
		if text := string(data); err != nil || !strings.HasPrefix(text, "one") || strings.Contains(text, "never") || strings.Count(text, "one") != 1 {
			t.Errorf("%s: the script of the image wrote %q, %v: %s", name, text, err, printed)
		}
		checkClean(t, w)
	}
}
