package collection

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/trust"
)

const good = `{"name": "a-1", "url": "https://example.org/a.img", "file": "a.img", "size": 5, "digest": "sha256:` +
	`0000000000000000000000000000000000000000000000000000000000000000", "pulled": "2026-01-02T03:04:05Z", "files": ["SUMS"]}`

func TestParsePin(t *testing.T) {
	t.Parallel()
	if p, err := ParsePin([]byte(good)); err != nil || p.File != "a.img" || !p.Signed.IsZero() {
		t.Errorf("ParsePin = %+v, %v", p, err)
	}
	for _, change := range [][2]string{
		{`"a.img"`, `"../a.img"`},
		{`"a.img"`, `".a"`},
		{"https://example.org/a.img", "https://me@example.org/a"},
		{"https://example.org/a.img", "a.img"},
		{"https://example.org/a.img", "https://example.org/a.img?token=1"},
		{"https://example.org/a.img", "https://example.org/\u009b2J/a.img"},
		{`"file"`, `"asked": "https://me:secret@example.org/a.img", "file"`},
		{"sha256:", "md5:"},
		{`"size": 5`, `"size": -5`},
		{`["SUMS"]`, `["a.img"]`},
		{`["SUMS"]`, `["a/b"]`},
		{`["SUMS"]`, `["a-1.pin"]`},
		{"{", "["},
		{`["SUMS"]`, `["` + strings.Repeat(`x","`, 9) + `"]`},
	} {
		if p, err := ParsePin([]byte(strings.Replace(good, change[0], change[1], 1))); !errors.Is(err, ErrPin) {
			t.Errorf("with %s: ParsePin = %+v, %v", change[1], p, err)
		}
	}
}

// TestDoubt holds what a pin was made by against a demand for proof.
func TestDoubt(t *testing.T) {
	t.Parallel()
	e := &catalogue.Entry{Keys: []string{"AA", "BB"}}
	for _, tc := range []struct {
		pin  Pin
		want string
	}{
		{Pin{}, "nothing proved it"},
		{Pin{Proof: "something else"}, "nothing proved it"},
		{Pin{Proof: trust.UnsignedSums}, "nobody signed"},
		{Pin{Proof: trust.UnsignedSums, Key: "AA"}, "nobody signed"},
		{Pin{Proof: trust.GivenDigest}, ""},
		{Pin{Proof: trust.SignedSums, Key: "BB"}, ""},
		{Pin{Proof: trust.SignedImage, Key: "AA"}, ""},
		{Pin{Proof: trust.SignedSums, Key: "CC"}, "key CC had signed it, to which its entry is not bound"},
		{Pin{Proof: trust.SignedImage}, "its entry is not bound"},
	} {
		if got := tc.pin.Doubt(e); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("Doubt of %+v = %q, want %q", tc.pin, got, tc.want)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePin(data)
		if err == nil && (strings.ContainsAny(p.File+strings.Join(p.Files, ""), "/\x00") || len(p.Files) > maxProofs) {
			t.Errorf("ParsePin = %+v", p)
		}
	})
}

// TestInterrupted finds what a change left behind that was killed at any moment.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	c := In(t.TempDir())
	for _, file := range []string{".new-a-1/part", ".old-a-1/a-1.pin", "a-1/a-1.pin", ".old-b-1/b-1.pin", "other/x"} {
		path := filepath.Join(c.dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(good), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	ch, err := c.begin("c-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.begin("d-1"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second change: %v, want %v", err, ErrBusy)
	}
	if _, err := c.Remove("a-1"); !errors.Is(err, ErrBusy) {
		t.Errorf("Remove meanwhile: %v, want %v", err, ErrBusy)
	}
	ch.end()
	names, err := c.Names()
	if err != nil || strings.Join(names, " ") != "a-1 b-1 other" {
		t.Errorf("Names() = %q, %v: what had no successor comes back", names, err)
	}
	if left, _ := filepath.Glob(c.dir + "/.[no]*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestReplaced puts a directory in the place of another, with and without an exchange.
func TestReplaced(t *testing.T) {
	t.Parallel()
	c := In(t.TempDir())
	put := func(text string) *change {
		t.Helper()
		ch, err := c.begin("a-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(ch.dir, "a-1.pin"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return ch
	}
	for i, keep := range []func(*change) error{(*change).keep, (*change).keep, func(ch *change) error { return ch.replace(filepath.Join(c.dir, "a-1")) }} {
		text := strings.Replace(good, `"size": 5`, `"size": `+string(rune('5'+i)), 1)
		ch := put(text)
		if err := keep(ch); err != nil {
			t.Fatal(err)
		}
		ch.end()
		if h, err := c.Get("a-1"); err != nil || h.Size != int64(5+i) || h.Image != "" {
			t.Errorf("Get = %+v, %v", h, err)
		}
		if left, _ := filepath.Glob(c.dir + "/.[no]*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	if at, err := c.Remove("a-1"); err != nil || filepath.Base(at) != "a-1" {
		t.Errorf("Remove = %q, %v", at, err)
	}
	if _, err := c.Get("a-1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Get of what was removed: %v", err)
	}
}
