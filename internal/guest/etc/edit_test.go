package etc

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"snf-image/tests/golden"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// editors are the pure editors by the word that calls them in testdata/edit.
func edit(words []string, in []byte) ([]byte, error) {
	switch words[0] {
	case "shadow":
		day, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return nil, err
		}
		return SetShadowHash(in, words[1], words[2], day)
	case "passwd":
		return SetPasswdHash(in, words[1], words[2])
	case "own-host":
		return RenameOwnHost(in, words[1]), nil
	case "loopback":
		return RenameLoopback(in, words[1], words[2]), nil
	case "assign":
		return SetAssignment(in, words[1], strings.Join(words[2:], " ")), nil
	case "append":
		return AppendMissing(in, words[1:]), nil
	}
	return nil, errors.New("unknown editor " + words[0])
}

// TestEditors runs every case of testdata/edit: the comment is the call, "in"
// the file, "want" the result or "error" the error. "$$" at the end of
// a line is taken off with the line end behind it, so that a missing final
// newline can be written, and "^M" stands for a carriage return.
func TestEditors(t *testing.T) {
	t.Parallel()
	golden.Cases(t, "testdata/edit/*.txtar", func(t *testing.T, call, in string) []txtar.File {
		got, err := edit(strings.Fields(call), decoded(in))
		if err == nil { // an edit done twice is the same as once
			again, err := edit(strings.Fields(call), got)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("second time: %q, %v", again, err)
			}
		}
		return golden.Result(encoded(got), err)
	})
}

func decoded(text string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(text, "^M", "\r"), "$$\n", ""))
}

func encoded(text []byte) []byte {
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(bytes.Clone(text), "$$\n"...)
	}
	return bytes.ReplaceAll(text, []byte("\r"), []byte("^M"))
}

func TestParsePasswd(t *testing.T) {
	t.Parallel()
	in := "root:x:0:0:root:/root:/bin/bash\n# comment:x:1:1:::\n+nis::1:1:::\nshort:x:1:1\nbig:x:4294967295:0::/:/bin/sh\nneg:x:-1:0::/:\nann:*:1000:100:Ann:/home/ann:\nroot:x:5:5::/evil:/bin/sh"
	want := []User{
		{"root", "x", 0, 0, "/root", "/bin/bash"},
		{"ann", "*", 1000, 100, "/home/ann", ""},
		{"root", "x", 5, 5, "/evil", "/bin/sh"},
	}
	users := ParsePasswd([]byte(in))
	if diff := cmp.Diff(want, users); diff != "" {
		t.Errorf("ParsePasswd (-want +got):\n%s", diff)
	}
	if u, ok := FindUser(users, "root"); !ok || u.UID != 0 {
		t.Errorf("FindUser = %v, %v, want the first entry", u, ok)
	}
	if _, ok := FindUser(users, "bob"); ok {
		t.Error("FindUser found bob")
	}
}

func TestParseGroup(t *testing.T) {
	t.Parallel()
	groups := ParseGroup([]byte("root:x:0:\nadm:x:4:ann\nbad:x:y:\n"))
	if g, ok := FindGroup(groups, "adm"); !ok || g.GID != 4 || len(groups) != 2 {
		t.Errorf("FindGroup = %v, %v in %v", g, ok, groups)
	}
	if _, ok := FindGroup(groups, "bad"); ok {
		t.Error("FindGroup found bad")
	}
}

func TestFindShadow(t *testing.T) {
	t.Parallel()
	data := []byte("root:$6$x:1::::::\nann:!\n")
	for user, want := range map[string]string{"root": "$6$x", "ann": "!", "bob": ""} {
		if got, ok := FindShadow(data, user); got.Hash != want || ok != (want != "") {
			t.Errorf("FindShadow(%q) = %q, %v, want %q", user, got.Hash, ok, want)
		}
	}
}

func TestParseAssignments(t *testing.T) {
	t.Parallel()
	in := "# c\nID=debian\nPRETTY_NAME=\"Debian \\\"12\\\" $x\"\nSINGLE='a b\\'\nSPACE=a b # c\nESC=a\\ b\nexport E=1\n bad name=1\nID=last\r\nEMPTY=\n"
	want := map[string]string{
		"ID": "last", "PRETTY_NAME": `Debian "12" $x`, "SINGLE": `a b\`, "SPACE": "a", "ESC": "a b", "E": "1", "EMPTY": "",
	}
	if diff := cmp.Diff(want, ParseAssignments([]byte(in))); diff != "" {
		t.Errorf("ParseAssignments (-want +got):\n%s", diff)
	}
}

// TestSetAssignmentKeepsComments keeps what stands behind the value.
func TestSetAssignmentKeepsComments(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"A=old # the old one\n": "A=new # the old one\n",
		"A='o l d'\t# c\nB=1\n": "A=\"new\"\t# c\nB=1\n",
		"A=old#no comment\r\n":  "A=new\r\n",
		"A=old more words\n":    "A=new\n",
		"A=\"# no comment\"\n":  "A=\"new\"\n",
		"export A=old  # c":     "export A=new  # c",
	} {
		if got := string(SetAssignment([]byte(in), "A", "new")); got != want {
			t.Errorf("SetAssignment(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseSSHD(t *testing.T) {
	t.Parallel()
	in := "# c\nHostKey /a\n  HOSTKEY=\"/b c\" # d\nhostkey = /d\nAuthorizedKeysFile\t.ssh/a  /x/%u #y\nPort\nMatch User ann\n HostKey /e\n"
	want := []Directive{
		{Keyword: "hostkey", Args: []string{"/a"}, Line: 2},
		{Keyword: "hostkey", Args: []string{"/b c"}, Line: 3},
		{Keyword: "hostkey", Args: []string{"/d"}, Line: 4},
		{Keyword: "authorizedkeysfile", Args: []string{".ssh/a", "/x/%u"}, Line: 5},
		{Keyword: "port", Args: []string{}, Line: 6},
		{Keyword: "match", Args: []string{"User", "ann"}, Line: 7},
		{Keyword: "hostkey", Args: []string{"/e"}, Line: 8, Conditional: true},
	}
	got := ParseSSHD([]byte(in))
	for n := range got {
		if got[n].Args == nil {
			got[n].Args = []string{}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseSSHD (-want +got):\n%s", diff)
	}
}

// maxConfig is the size of the largest file that is read, rootfs.MaxConfig.
const maxConfig = 4 << 20

// TestLinesAreCheap has a file of line ends only, as large as any that is read:
// the helper has little memory.
func TestLinesAreCheap(t *testing.T) {
	data := bytes.Repeat([]byte("\n"), maxConfig)
	for name, c := range map[string]struct {
		f     func()
		bytes uint64 // allocated in all
	}{
		"split":     {func() { SplitLines(data) }, 18 * maxConfig}, // the text, and 16 bytes a line
		"passwd":    {func() { ParsePasswd(data) }, 2 * maxConfig},
		"group":     {func() { ParseGroup(data) }, 2 * maxConfig},
		"shadow":    {func() { FindShadow(data, "root") }, 2 * maxConfig},
		"sshd":      {func() { ParseSSHD(data) }, 2 * maxConfig},
		"variables": {func() { ParseAssignments(data) }, 2 * maxConfig},
		"append":    {func() { AppendMissing(data, []string{"key"}) }, 20 * maxConfig},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.f()
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > c.bytes {
			t.Errorf("%s allocates %d KiB, more than %d", name, got>>10, c.bytes>>10)
		}
	}
}
