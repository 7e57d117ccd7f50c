package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/gpg"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// told is the findings in lines.
func told(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&b, f.Grade, f.Subject, f.Text)
	}
	return b.String()
}

// TestKeys: every file that spoils the keyring is named, and keys that prove nothing.
func TestKeys(t *testing.T) {
	t.Parallel()
	g := gpg.New(t)
	good := g.Key("Good <good@example.org>", "ed25519", "never")
	brief := g.Key("Brief <brief@example.org>", "ed25519", "2d")
	gone := g.Key("Gone <gone@example.org>", "ed25519", "never")
	g.Revoke(gone)
	dir := t.TempDir()
	write(t, dir+"/good.asc", string(g.Export(good)))
	if got := told(keys(time.Now(), dir, dir+"/none")); got != "ok keyring 1 keys in "+dir+" and "+dir+"/none\n" {
		t.Errorf("a good keyring: %s", got)
	}
	write(t, dir+"/brief.asc", string(g.Export(brief)))
	write(t, dir+"/gone.asc", string(g.Export(gone)))
	write(t, dir+"/bad.asc", "hello")
	write(t, dir+"/worse.pub", "hello")
	got := keys(time.Now().Add(72*time.Hour), dir)
	want := []string{
		"unfit keyring reading the keyring, on " + dir + "/bad.asc: not a public key",
		"warning keyring " + dir + "/brief.asc: " + brief + " Brief <brief@example.org> expired on ",
		"warning keyring " + dir + "/gone.asc: " + gone + " Gone <gone@example.org> was revoked: what it signed is refused",
		"unfit keyring reading the keyring, on " + dir + "/worse.pub: not a public key",
	}
	lines := strings.Split(told(got), "\n")
	for i, w := range want {
		if len(lines) != len(want)+1 || !strings.HasPrefix(lines[i], w) {
			t.Fatalf("it says\n%s, want\n%s", told(got), strings.Join(want, "\n"))
		}
	}
	if os.Geteuid() != 0 { // then it is nobody's to judge
		return
	}
	for _, file := range []string{dir + "/good.asc", dir} {
		if err := os.Chmod(file, 0o777); err != nil {
			t.Fatal(err)
		}
		if got := told(keys(time.Now(), dir)); !strings.Contains(got, "unfit keyring reading the keyring, on "+file+": others than root may change it") || !strings.Contains(got, "chmod go-w") {
			t.Errorf("%s can be changed by others: %s", file, got)
		}
	}
}

// TestEntries: an entry that cannot be used is named with its place.
func TestEntries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a-1.conf", "URL=https://example.org/a\nFORMAT=raw\n")
	if got := told(entries("x86_64", []string{dir, dir + "/none"})); got != "ok catalogue 1 entries in "+dir+" and "+dir+"/none\n" {
		t.Errorf("a good catalogue: %s", got)
	}
	write(t, dir+"/b-1.conf", "URL=https://example.org/a\nFORMAT=raw\nSUM=x\n")
	if got := told(entries("x86_64", []string{dir})); !strings.HasPrefix(got, "warning catalogue b-1 cannot be used: error: "+dir+"/b-1.conf:3:1: SUM: unknown name; did you mean SUMS?") || strings.Count(got, "\n") != 1 {
		t.Errorf("a bad entry: %s", got)
	}
	if os.Geteuid() != 0 {
		return
	}
	for _, file := range []string{dir + "/a-1.conf", dir} {
		if err := os.Chmod(file, 0o777); err != nil {
			t.Fatal(err)
		}
		if got := told(entries("x86_64", []string{dir})); !strings.Contains(got, "unfit catalogue reading the catalogue, on "+file+": others than root may change it") {
			t.Errorf("%s can be changed by others: %s", file, got)
		}
	}
}
