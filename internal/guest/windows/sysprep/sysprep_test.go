package sysprep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/txtar"

	"snf-image/tests/golden"
)

func completion() Completion {
	return Completion{ComputerName: "web1", ProductKey: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", TimeZone: "085"}
}

var scripts = []Command{
	{Line: `cmd /c C:\Windows\SnfScripts\ChangeAdminPassword.cmd`, Script: `SnfScripts\ChangeAdminPassword.cmd`},
	{Line: `diskpart /s C:\Windows\SnfScripts\ExtendFilesystem`, Script: `SnfScripts\ExtendFilesystem`},
}

func TestComplete(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/inf/*.txtar", func(t *testing.T, _, input string) []txtar.File {
		out, install, err := Complete([]byte(input), completion())
		if err == nil {
			crlf, _, err := Complete([]byte(strings.ReplaceAll(input, "\n", "\r\n")), completion())
			if want := bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n")); err != nil || len(input) > 0 && !bytes.Equal(crlf, want) {
				t.Errorf("with the line ends of Windows: %q, %v", crlf, err)
			}
			if again, _, err := Complete(out, completion()); err != nil || !bytes.Equal(again, out) {
				t.Errorf("again: %q, %v", again, err)
			}
		}
		return append(golden.Result(bytes.ReplaceAll(out, []byte("\r"), nil), err), txtar.File{Name: "files", Data: []byte(install + "\n")})
	})
}

// TestIdentity reads what is written by hand.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "[userdata]\n COMPUTERNAME = \" * \" ; any\n": "", "[UserData]\nComputerName=\nComputerName = web1 ; mine\n": "web1",
		"[Unattended]\nComputerName=db2\n[USERDATA\n;ComputerName=db3\ncomputername=\"web1\"\n": "web1",
	} {
		if name, _, err := Identity([]byte(text)); name != want || err != nil {
			t.Errorf("%q: %q, %v", text, name, err)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/commands/*.txtar", func(_ *testing.T, _, input string) []txtar.File {
		out, err := AddCommands([]byte(input), scripts)
		return golden.Result(bytes.ReplaceAll(out, []byte("\r"), nil), err)
	})
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("[UserData]\r\nFullName=\"Müller\"\r\n")) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	out, _, err := Complete(wide, completion())
	if err != nil || !bytes.HasPrefix(out, wide) || len(out)%2 != 0 {
		t.Errorf("UTF-16: %q, %v", out, err)
	}
	if out, _, err := Complete([]byte("[UserData]\nFullName=M\xfcller\n"), completion()); err != nil || !bytes.Contains(out, []byte("M\xfcller")) {
		t.Errorf("Latin 1: %q, %v", out, err)
	}
	for name, data := range map[string][]byte{"odd": append(bytes.Clone(wide), 'x'), "binary": {'[', 0}, "large": make([]byte, Size+1)} {
		if out, _, err := Complete(data, completion()); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %.20q, %v", name, out, err)
		}
	}
}

func FuzzComplete(f *testing.F) {
	f.Add([]byte("[unattended]\r\ninstallfilespath = c:\\sysprep\\x ; y\r\n[USERDATA\r\n=\r\n"))
	f.Add([]byte("\xff\xfe[\x00a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, _, err := Complete(data, completion())
		if err != nil {
			return
		}
		if again, _, err := Complete(out, completion()); err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%q, %v, again %q", out, err, again)
		}
		if _, err := AddCommands(data, scripts); err != nil {
			t.Fatal(err)
		}
	})
}
