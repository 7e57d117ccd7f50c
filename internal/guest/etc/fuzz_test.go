package etc

import (
	"bytes"
	"strings"
	"testing"
)

// linesExcept returns the lines of data for which skip is false.
func linesExcept(data []byte, skip func(string) bool) []string {
	var out []string
	for _, l := range SplitLines(data) {
		text, _ := CutEnd(l)
		if !skip(text) {
			// A carriage return before a missing newline becomes part of the end.
			out = append(out, strings.TrimRight(text, "\r"))
		}
	}
	return out
}

func FuzzShadow(f *testing.F) {
	f.Add([]byte("root:*:1:0:99999:7:::\nann:!:::::::"), "root", "$6$a$b")
	f.Add([]byte("\r\n\n:x"), "x", "")
	f.Fuzz(func(t *testing.T, data []byte, user, hash string) {
		if user == "" || strings.ContainsAny(user, ":\r\n\x00") {
			return
		}
		out, err := SetShadowHash(data, user, hash, 20000)
		if strings.ContainsAny(hash, ":\r\n\x00") {
			if err == nil {
				t.Fatal("a hash that breaks out of its field was accepted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := FindShadow(out, user); !ok || got.Hash != hash {
			t.Fatalf("FindShadow = %q, %v, want %q", got.Hash, ok, hash)
		}
		mine := func(l string) bool { return strings.HasPrefix(l, user+":") }
		before, after := linesExcept(data, mine), linesExcept(out, mine)
		if strings.Join(before, "\n") != strings.Join(after, "\n") {
			t.Fatalf("other lines changed: %q, %q", before, after)
		}
	})
}

func FuzzPasswd(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\n"), "root")
	f.Add([]byte("+::::::\nann:x:4294967296:-1::../..:"), "ann")
	f.Fuzz(func(t *testing.T, data []byte, user string) {
		for _, u := range ParsePasswd(data) {
			if u.Name == "" || u.UID < 0 || u.GID < 0 || strings.ContainsAny(u.Home, ":\n") {
				t.Fatalf("bad entry %+v", u)
			}
		}
		ParseGroup(data)
		out, err := SetPasswdHash(data, user, "x")
		if err == nil && len(SplitLines(out)) != len(SplitLines(data)) {
			t.Fatalf("%q became %q", data, out)
		}
	})
}

func FuzzAssignments(f *testing.F) {
	f.Add([]byte("ID=debian\nNAME=\"a b\"\n"), "ID", "x y")
	f.Add([]byte("A='\nB=\"\\"), "A", "$`\\\"'")
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		if name == "" || strings.Trim(name, nameCharacters) != "" || strings.ContainsAny(value, "\r\n\x00") {
			return
		}
		out := SetAssignment(data, name, value)
		if got := ParseAssignments(out)[name]; got != value {
			t.Fatalf("SetAssignment(%q, %q, %q) = %q reads back as %q", data, name, value, out, got)
		}
	})
}

func FuzzHosts(f *testing.F) {
	f.Add([]byte("127.0.0.1 localhost\n127.0.1.1\told # me\n::1 ip6"), "new.example.org")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if name == "" || strings.ContainsAny(name, " \t\r\n#\x00") {
			return
		}
		out := RenameOwnHost(data, name)
		if len(SplitLines(out)) != len(SplitLines(data)) {
			t.Fatalf("%q became %q", data, out)
		}
		if again := RenameOwnHost(out, name); !bytes.Equal(out, again) {
			t.Fatalf("not stable: %q, %q", out, again)
		}
		if !bytes.Contains(data, []byte("127.0.1.1")) && !bytes.Equal(data, out) {
			t.Fatalf("%q became %q", data, out)
		}
		RenameLoopback(data, "old", name)
	})
}

func FuzzSSHD(f *testing.F) {
	f.Add([]byte("HostKey \"/etc/ssh/a b\"\nMatch all\nInclude /x/*"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range ParseSSHD(data) {
			if d.Keyword != strings.ToLower(d.Keyword) || strings.ContainsAny(d.Keyword, " \t\n=") {
				t.Fatalf("keyword %q", d.Keyword)
			}
		}
	})
}

// FuzzAddEntry adds a user and a membership: all other lines stay, and both are read back.
func FuzzAddEntry(f *testing.F) {
	f.Add([]byte("root:x:0:\nwheel:x:10:a\n+:::\n"))
	f.Add([]byte("wheel:x:10:\r\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := AddEntry(data, "new:x:77:")
		if g, ok := FindGroup(ParseGroup(out), "new"); !ok || len(ParseGroup(data)) == 0 && g.GID != 77 {
			t.Fatalf("AddEntry(%q) = %q", data, out)
		}
		again := AddMember(out, "new", "ann")
		if string(AddMember(again, "new", "ann")) != string(again) {
			t.Fatalf("twice: %q", again)
		}
		mine := func(l string) bool { return strings.HasPrefix(l, "new:") }
		if strings.Join(linesExcept(data, mine), "\n") != strings.Join(linesExcept(again, mine), "\n") {
			t.Fatalf("other lines of %q changed: %q", data, again)
		}
		ParseDefs(data)
		FreeRange(data, 1, 1<<40, 10)
		FindShadow(data, "root")
	})
}
