package answer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/tests/require"
)

// scripts are the commands that a deployment adds.
var scripts = []Command{
	{Path: `cmd.exe /c C:\Windows\SnfScripts\ChangeAdminPassword.cmd`, Description: "Passwords", Script: `SnfScripts\ChangeAdminPassword.cmd`},
	{Path: `diskpart.exe /s C:\Windows\SnfScripts\ExtendFilesystem`, Description: "File system", Script: `SnfScripts\ExtendFilesystem`},
}

const key = "VVVVV-WWWWW-XXXXX-YYYYY-ZZZZZ"

// completion is that of the tests.
func completion() Completion {
	return Completion{Architecture: "amd64", ComputerName: "web1", ProductKey: key, Commands: scripts}
}

// corpus returns the answer files of the tests.
func corpus(t testing.TB) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile("testdata/corpus.txtar")
	if err != nil || len(a.Files) < 30 {
		t.Fatalf("%d answer files: %v", len(a.Files), err)
	}
	return a.Files
}

// have is how many of the scripts an answer file names already, 0 unless it is here.
var have = map[string]int{"names-password-script": 1, "names-both-upper-case": 2}

// TestCorpus completes each answer file and has libxml2 look at the result: it is well
// formed, says what was asked for once, and has every line of the old one in order, except
// for the two values.
func TestCorpus(t *testing.T) {
	t.Parallel()
	require.Tool(t, "xmllint")
	for _, f := range corpus(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			out, err := Complete(f.Data, completion())
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Complete(out, completion()); err != nil || !bytes.Equal(again, out) {
				t.Errorf("completed again it changes: %v\n%s", err, again)
			}
			before, after := xmllint(t, f.Data, "--format"), xmllint(t, out, "--format")
			if lost := missing(lines(before), lines(after)); lost != "" {
				t.Errorf("the line %q of the old answer file is not in the new one:\n%s", lost, after)
			}
			commands := func(data []byte) string {
				return xmllint(t, data, "--xpath", "count("+in(deployment)+elements("RunSynchronous", "RunSynchronousCommand")+")")
			}
			var old, now int
			scan(t, commands(f.Data), &old)
			scan(t, commands(out), &now)
			if want := old + len(scripts) - have[f.Name]; now != want {
				t.Errorf("%d commands, want %d:\n%s", now, want, out)
			}
			checkValues(t, out)
		})
	}
}

// checkValues looks for computer name, product key and the scripts' commands. libxml2
// counts what it finds.
func checkValues(t *testing.T, out []byte) {
	t.Helper()
	name, path := in(shellSetup)+elements("ComputerName"), in(deployment)+elements("RunSynchronous", "RunSynchronousCommand")
	path = strings.TrimSuffix(path, "/")
	query := fmt.Sprintf("concat(count(%[1]s) > 0, ' ', count(%[1]s) = count(%[1]s[. = 'web1']), ' ', count(%[2]s[. = '%[3]s']) > 0, ' ', count(%[4]s[%[5]s]), ' ', count(%[4]s[%[6]s]))",
		name, in(shellSetup)+elements("ProductKey"), key, path,
		contains("SNFSCRIPTS\\CHANGEADMINPASSWORD.CMD"), contains("SNFSCRIPTS\\EXTENDFILESYSTEM"))
	if got := xmllint(t, out, "--xpath", query); got != "true true true 1 1" {
		t.Errorf("libxml2 says %q:\n%s", got, out)
	}
	order := "concat(count(" + path + "[*[local-name() = 'Order'] = preceding::*[local-name() = 'Order' and ancestor::*[local-name() = 'RunSynchronous']" +
		" and ancestor::*[@processorArchitecture='amd64' and ../@pass='specialize']]]), '')"
	if got := xmllint(t, out, "--xpath", order); got != "0" {
		t.Errorf("%s commands have the order number of another:\n%s", got, out)
	}
}

const upper, lower = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"

func contains(text string) string {
	return fmt.Sprintf("contains(translate(*[local-name() = 'Path'], '%s', '%s'), '%s')", lower, upper, text)
}

// in is the XPath of a component for amd64 in the pass specialize.
func in(component string) string {
	return "/*/*[local-name() = 'settings' and @pass = 'specialize']/*[local-name() = 'component' and @name = '" + component +
		"' and translate(@processorArchitecture, '" + upper + "', '" + lower + "') = 'amd64']"
}

// elements is the XPath of elements of the namespace of answer files.
func elements(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "/*[local-name() = '%s' and namespace-uri() = '%s']", n, unattend)
	}
	return b.String()
}

// xmllint returns what xmllint makes of an answer file; it fails for what is not well formed.
func xmllint(t *testing.T, data []byte, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "unattend.xml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("xmllint", append(append([]string{"--nonet"}, args...), file)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(stderr.String(), "namespace error") {
		t.Fatalf("xmllint %q: %v: %s\n%s", args, err, &stderr, data)
	}
	return strings.TrimSpace(string(out))
}

func scan(t *testing.T, text string, n *int) {
	t.Helper()
	if _, err := fmt.Sscan(text, n); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}

// lines returns the lines of a formatted answer file, without indentation and values that change.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !(strings.Contains(line, "ComputerName") && !strings.Contains(line, "kept") || strings.HasPrefix(line, "<ProductKey>A")) {
			out = append(out, strings.TrimSuffix(line, "/>"))
		}
	}
	return out
}

// missing returns the first of the lines of a that is not in b, in order; "" for none. An
// element that was empty is not any more.
func missing(a, b []string) string {
	for _, line := range a {
		found := false
		for !found && len(b) > 0 {
			found = b[0] == line || b[0] == line+">"
			b = b[1:]
		}
		if !found {
			return line
		}
	}
	return ""
}

// TestEncodings completes each answer file in each encoding: the text is the same in all.
func TestEncodings(t *testing.T) {
	t.Parallel()
	require.Tool(t, "xmllint")
	le, be := binary.LittleEndian, binary.BigEndian
	for _, f := range corpus(t) {
		want, err := Complete(f.Data, completion())
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		for name, enc := range map[string]encoding{
			"UTF-8 with BOM": {mark: []byte{0xef, 0xbb, 0xbf}},
			"UTF-16 LE":      {mark: []byte{0xff, 0xfe}, order: le}, "UTF-16 BE": {mark: []byte{0xfe, 0xff}, order: be},
			"UTF-16 LE without BOM": {order: le}, "UTF-16 BE without BOM": {order: be},
		} {
			stored, err := enc.encode(string(f.Data))
			if err != nil {
				t.Fatal(err)
			}
			out, err := Complete(stored, completion())
			if err != nil {
				t.Errorf("%s in %s: %v", f.Name, name, err)
				continue
			}
			text, got, err := decode(out)
			if err != nil || !bytes.Equal(got.mark, enc.mark) || got.order != enc.order {
				t.Errorf("%s in %s has another encoding afterwards: %v", f.Name, name, err)
			}
			text = declaration.ReplaceAllString(text, "${1}${2}utf-8${2}")
			expect := declaration.ReplaceAllString(string(want), "${1}${2}utf-8${2}")
			if diff := cmp.Diff(expect, text); diff != "" {
				t.Errorf("%s in %s (-UTF-8 +it):\n%s", f.Name, name, diff)
			}
			if f.Name == "non-ascii" && enc.mark != nil {
				checkValues(t, out)
			}
		}
	}
}

// TestLineEnds keeps those of Windows.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	for _, f := range corpus(t) {
		out, err := Complete(bytes.ReplaceAll(f.Data, []byte("\n"), []byte("\r\n")), completion())
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if n := bytes.Count(out, []byte("\n")) - bytes.Count(out, []byte("\r\n")); n != 0 || bytes.Contains(out, []byte("\r\r")) {
			t.Errorf("%s has %d line ends of Unix afterwards:\n%q", f.Name, n, out)
		}
	}
}
