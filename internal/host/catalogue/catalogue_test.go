package catalogue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"snf-image/internal/spec"
	"snf-image/tests/golden"
)

const whole = `DESCRIPTION="A system"
ALIASES="other another"
VERSION="7"
URL="https://example.org/${VERSION}/image-${VERSION}-${ARCH}-${DEBIAN_ARCH}.qcow2"
FORMAT="qcow2"
SUMS="%.sha256"
SIGNATURE="%.sha256.asc"
KEYS="0123456789abcdef0123456789ABCDEF01234567"
PROPERTY_USERS="a b"
PROPERTIES='{"osfamily": "linux"}'
END_OF_LIFE="2026-06-30"
`

func TestParse(t *testing.T) {
	t.Parallel()
	e := Parse("a-7", "a-7.conf", []byte(whole), "x86_64")
	want := &Entry{
		Name: "a-7", File: "a-7.conf", Description: "A system", Aliases: []string{"other", "another"},
		URL: "https://example.org/7/image-7-x86_64-amd64.qcow2", Format: spec.Qcow2, Sums: "%.sha256", Signature: "%.sha256.asc",
		Keys: []string{"0123456789ABCDEF0123456789ABCDEF01234567"}, Properties: map[string]string{"USERS": "a b", "OSFAMILY": "linux"},
		EndOfLife: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, e, cmpopts.IgnoreUnexported(Entry{})); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if e.Image() != "image-7-x86_64-amd64.qcow2" || Beside(e.URL, e.Sums) != e.URL+".sha256" {
		t.Errorf("image %q, sums %q", e.Image(), Beside(e.URL, e.Sums))
	}
	if e.Ended(want.EndOfLife.Add(-time.Second)) || !e.Ended(want.EndOfLife) {
		t.Error("the day its support ends is not the first on which it has ended")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(string) string
		rule   error
		want   string
	}{
		"unknown name":      {add("SUM=x"), ErrName, "e.conf:12:1: SUM: unknown name; did you mean SUMS?"},
		"twice":             {add("SUMS=x"), ErrValue, "e.conf:12:1: SUMS: it is set twice"},
		"command":           {add("URL=$(id)"), nil, "commands are never run"},
		"no URL":            {drop("URL"), ErrMissing, "sets no URL"},
		"no format":         {drop("FORMAT"), ErrMissing, "sets no FORMAT"},
		"file":              {put("URL", "file:///etc/shadow"), ErrValue, "expected a URL of http"},
		"secret":            {put("URL", "https://me:secret@example.org/a"), ErrValue, "neither user nor query"},
		"directory":         {put("URL", "https://example.org/a/"), ErrValue, "end in the name of a file"},
		"climbing":          {put("URL", "https://example.org/a/../b"), ErrValue, "end in the name of a file"},
		"hidden":            {put("URL", "https://example.org/.a"), ErrValue, "end in the name of a file"},
		"format":            {put("FORMAT", "iso"), ErrValue, "expected one of diskdump"},
		"sums elsewhere":    {put("SUMS", "../SUMS"), ErrValue, "name of a file beside the image"},
		"signed name":       {add("SIGNED_NAME='*.*'"), ErrValue, "with * for what changes"},
		"signed elsewhere":  {add("SIGNED_NAME=../a*"), ErrValue, "with * for what changes"},
		"short key":         {put("KEYS", "0123"), ErrValue, "is not a fingerprint"},
		"signature alone":   {drop("SUMS"), ErrMissing, "over SUMS, which is not set"},
		"signature, no key": {drop("KEYS"), ErrMissing, "no key is bound"},
		"two signatures":    {add("IMAGE_SIGNATURE=%.sig"), ErrValue, "SIGNATURE is set too"},
		"digest":            {add("DIGEST=md5:00"), ErrValue, "expected sha256:"},
		"properties":        {put("PROPERTIES", "[1]"), ErrValue, "JSON object of strings"},
		"property twice":    {add("PROPERTY_OSFAMILY=linux"), ErrValue, "OSFAMILY is set twice"},
		"property's name":   {add("PROPERTY_a=b"), ErrValue, "cannot be the name of a property"},
		"day":               {put("END_OF_LIFE", "soon"), ErrValue, "expected a day"},
		"alias":             {put("ALIASES", "../x"), ErrValue, "cannot be a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Parse("e", "e.conf", []byte(tc.change(whole)), "x86_64")
			if len(e.Problems) == 0 {
				t.Fatal("it is taken")
			}
			if got := e.Problems.Err().Error(); !strings.Contains(got, tc.want) {
				t.Errorf("it says %q, want %q", got, tc.want)
			}
			if tc.rule != nil && !errors.Is(e.Problems[0], tc.rule) {
				t.Errorf("rule %v, want %v", e.Problems[0].Rule, tc.rule)
			}
		})
	}
}

func add(line string) func(string) string { return func(s string) string { return s + line + "\n" } }
func drop(name string) func(string) string {
	return func(s string) string {
		a := strings.Index(s, name+"=")
		return s[:a] + s[a+strings.Index(s[a:], "\n")+1:]
	}
}

func put(name, value string) func(string) string {
	return func(s string) string { return drop(name)(s) + name + "='" + value + "'\n" }
}

func TestLoad(t *testing.T) {
	t.Parallel()
	one, two := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		one + "/a-7.conf": whole, one + "/b.conf": put("ALIASES", "")(whole), one + "/c.conf": put("ALIASES", "third")(whole),
		two + "/b.conf": "", two + "/c.conf": put("DESCRIPTION", "Ours")(put("ALIASES", "")(whole)), two + "/d.conf": put("ALIASES", "other c")(whole),
		two + "/notes": "x", two + "/.e.conf": "x",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load("x86_64", one, two, filepath.Join(one, "absent"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.names(); !cmp.Equal(got, []string{"a-7", "other", "another", "c", "d", "other", "c"}) {
		t.Errorf("names %q", got)
	}
	if e, err := c.Find("other"); err != nil || e.Name != "a-7" {
		t.Errorf("Find(other) = %v, %v", e, err)
	}
	if e, err := c.Find("c"); err != nil || e.Description != "Ours" || len(e.Aliases) > 0 {
		t.Errorf("Find(c) = %+v, %v: the later file replaces the entry as a whole", e, err)
	}
	for name, want := range map[string]string{"b": "no entry of that name", "third": "no entry", "a-8": "did you mean a-7?", "d": "other is a name of a-7"} {
		if _, err := c.Find(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Find(%s) = %v, want %q", name, err, want)
		}
	}
}

func TestMirror(t *testing.T) {
	t.Parallel()
	for _, tc := range [][3]string{
		{"", "https://a.example/b/c", "https://a.example/b/c"},
		{"http://m.example/x/", "https://a.example/b/c", "http://m.example/x/a.example/b/c"},
		{"http://m.example", "https://a.example:81/b%20c", "http://m.example/a.example:81/b%20c"},
	} {
		if got := Mirror(tc[0], tc[1]); got != tc[2] {
			t.Errorf("Mirror(%q, %q) = %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
}

func TestParseMeta(t *testing.T) {
	t.Parallel()
	want := map[string]string{"OS": "debian", "USERS": "root me", "ROOT_PARTITION": "1", "DESCRIPTION": `Debian = "12" $(id)`}
	for name, text := range map[string]string{
		"lines":       "OS=debian\r\nUSERS=root me\n\nroot_partition=1\nDESCRIPTION=Debian = \"12\" $(id)\n",
		"json":        `{"name": "x", "properties": {"OS": "debian", "users": "root me", "ROOT_PARTITION": 1, "DESCRIPTION": "Debian = \"12\" $(id)"}}`,
		"json, plain": `{"OS": "debian", "USERS": "root me", "ROOT_PARTITION": "1", "DESCRIPTION": "Debian = \"12\" $(id)", "members": ["x"]}`,
	} {
		if got, err := ParseMeta([]byte(text)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: ParseMeta = %v, %v", name, got, err)
		}
	}
	for _, text := range []string{"not a line", "=x", "A=1\na=2", "{", `{"properties": 1}`, strings.Repeat("A", 1<<20) + "=1\n"} {
		if got, err := ParseMeta([]byte(text)); err == nil {
			t.Errorf("ParseMeta(%.20q) = %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("PROPERTIES='{\"A\": \"1\"}'\nURL=http://x/%2e%2e/a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := Parse("e", "e.conf", data, "x86_64")
		if len(e.Problems) > 0 {
			return
		}
		if n := e.Image(); n == "" || strings.ContainsAny(n, "/\x00") || n[0] == '.' {
			t.Errorf("an image called %q", n)
		}
	})
}

func FuzzParseMeta(f *testing.F) {
	f.Add([]byte("OS=debian\nUSERS=root me\n"))
	f.Add([]byte(`{"properties": {"A": 1, "B": [2], "C": null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, _ := ParseMeta(data)
		for name := range found {
			if !propertyName.MatchString(name) {
				t.Errorf("a property called %q", name)
			}
		}
	})
}

// TestReference writes the table of names to the document about images.
func TestReference(t *testing.T) {
	t.Parallel()
	const document = "../../../docs/images.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| name | meaning |\n|---|---|\n"
	before, rest, found := strings.Cut(string(text), head)
	_, after, ends := strings.Cut(rest, "\n\n")
	if !found || !ends {
		t.Fatal("the table is gone")
	}
	rows := ""
	for _, r := range Reference() {
		rows += "| `" + r[0] + "` | " + r[1] + " |\n"
	}
	golden.File(t, document, before+head+rows+"\n"+after)
}
