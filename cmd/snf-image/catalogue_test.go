package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snf-image/tests/mirror"
)

const shippedEntries = "../../share/catalogue.d"

// catalogueNode is a node that uses a mirror.
type catalogueNode struct {
	*mirror.Mirror
	t    *testing.T
	dir  string // IMAGE_DIR
	conf string
}

func newCatalogueNode(t *testing.T, m *mirror.Mirror, settings string) *catalogueNode {
	t.Helper()
	dir := t.TempDir()
	n := &catalogueNode{m, t, dir, filepath.Join(dir, "conf")}
	n.configure(settings)
	return n
}

func (n *catalogueNode) configure(settings string) {
	n.t.Helper()
	text := "IMAGE_DIR=" + n.dir + "\nHELPER_DIR=" + n.dir + "/helper\n" + n.Settings() + settings
	if err := os.WriteFile(n.conf, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// does runs a command line, which has to end with an exit code and say some words.
func (n *catalogueNode) does(want int, words string, args ...string) string {
	n.t.Helper()
	var out, errs strings.Builder
	err := run(n.t.Context(), nil, &out, &errs, append(args, "--config", n.conf))
	printFailure(&errs, err)
	if code := exitCode(err); code != want || !strings.Contains(out.String()+errs.String(), words) {
		n.t.Errorf("%q: exit code %d, want %d with %q\n%s%s", args, code, want, words, &out, &errs)
	}
	return out.String()
}

// TestEmptyCatalogue has no entries, as a checkout without the setting.
func TestEmptyCatalogue(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, []byte("CATALOGUE_DIRS="+filepath.Dir(conf)+"/none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	err := run(t.Context(), nil, &out, &errs, []string{"image", "list", "--config", conf})
	if err != nil || out.String() != "" || !strings.Contains(errs.String(), "no entries: none lie in "+filepath.Dir(conf)+"/none; set CATALOGUE_DIRS") {
		t.Errorf("image list: %v, %q, %q", err, &out, &errs)
	}
}

// held returns what lies in IMAGE_DIR, without the lock.
func (n *catalogueNode) held() (names []string) {
	n.t.Helper()
	list, err := filepath.Glob(n.dir + "/catalogue/*/*")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, strings.TrimPrefix(f, n.dir+"/catalogue/"))
	}
	if left, _ := filepath.Glob(n.dir + "/catalogue/.[a-z]*"); len(left) > 1 {
		n.t.Errorf("left behind: %q", left)
	}
	return names
}

// flip changes one bit of a file.
func flip(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func content(name string) []byte { return bytes.Repeat([]byte(name+"\n"), 3000) }

// TestEveryEntry pulls and verifies the image of each shipped entry from a mirror with the
// shape of its vendor.
func TestEveryEntry(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	names := m.Names()
	for _, name := range names {
		m.Publish(name, content(name))
	}
	var got []struct {
		Name, URL, File, Digest, Proof, Key string
		Size                                int64
		Changed                             bool
		Files                               []string
	}
	if err := json.Unmarshal([]byte(n.does(0, "", append([]string{"image", "pull", "--json"}, names...)...)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(names) {
		t.Fatalf("%d images pulled, want %d", len(got), len(names))
	}
	for i, p := range got {
		e := m.Entry(names[i])
		want := "checksums"
		switch {
		case e["IMAGE_SIGNATURE"] != "":
			want = "signature"
		case e["KEYS"] != "":
			want = "signed checksums"
		case e["DIGEST"] != "":
			want = "digest"
		}
		if p.Name != names[i] || p.Proof != want || (p.Key == m.Key) != (e["KEYS"] != "") || !p.Changed || p.Size != int64(len(content(p.Name))) || p.File != filepath.Base(e["URL"]) {
			t.Errorf("pulled %+v, want the proof %q", p, want)
		}
		if filepath.Dir(p.URL) != filepath.Dir(e["URL"]) {
			t.Errorf("%s is pinned at %s, its vendor has it at %s", p.Name, p.URL, e["URL"])
		}
		n.does(0, p.Digest[strings.Index(p.Digest, ":")+1:], "image", "verify", p.Name)
	}
	if p := got[0]; p.Name != "alma-10" || !strings.HasSuffix(p.URL, "-10.1-20260701.0.x86_64.qcow2") {
		t.Errorf("%s is pinned at %s, want the dated name that its checksums tell", p.Name, p.URL)
	}
	n.does(0, "is here since", "image", "pull", "debian-13")
	n.does(0, "debian-13", "image", "list")
}

// TestRefusedImages refuses what one bit, a key or a date is wrong of, and keeps what is here.
func TestRefusedImages(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	for _, name := range []string{"ubuntu-24.04", "fedora-44", "rocky-10", "arch", "debian-13", "oracle-10"} {
		e := m.Entry(name)
		for _, beside := range []string{"", e["SUMS"], e["SIGNATURE"], e["IMAGE_SIGNATURE"]} {
			if beside == "" && e["URL"] == "" || beside == e["SUMS"] && e["IMAGE_SIGNATURE"] != "" {
				continue // its checksums are not looked at: the signature is over the image
			}
			m.Publish(name, content(name))
			flip(t, m.At(e["URL"], beside))
			n.does(3, "pulling "+name, "image", "pull", name)
		}
	}
	old, asked := m.Entry("opensuse-leap-15.6"), m.Entry("opensuse-leap-16.0")
	m.Publish("opensuse-leap-16.0", content("new"))
	m.Publish("opensuse-leap-15.6", content("old"))
	for _, beside := range []string{"", old["SUMS"], old["SIGNATURE"]} { // which the same key signed
		b, err := os.ReadFile(m.At(old["URL"], beside))
		if err := errors.Join(err, os.WriteFile(m.At(asked["URL"], beside), b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	n.does(3, "it is about another image than the one that was asked for", "image", "pull", "opensuse-leap-16.0")
	other := m.NewKey("other", "never")
	m.Signer = other
	m.Publish("rocky-10", content("new"))
	n.does(3, "not in the keyring", "image", "pull", "rocky-10")
	m.Trust(other)
	n.does(3, "is in the keyring, but not bound to this image", "image", "pull", "rocky-10")
	if got := n.held(); len(got) > 0 {
		t.Errorf("kept %q", got)
	}

	for words, spoil := range map[string]func(key string){
		"the signing key has expired": func(string) {},
		"the signing key was revoked": m.Revoke,
	} {
		expires := map[bool]string{true: "1d", false: "never"}[strings.Contains(words, "expired")]
		key := m.NewKey(strings.ReplaceAll(words, " ", "-"), expires)
		m.Key, m.Signer, m.Signed = key, key, time.Now().Add(-47*time.Hour)
		m.Publish("rocky-10", content("old"))
		spoil(key)
		m.Trust(key)
		n.does(3, words, "image", "pull", "rocky-10")
	}
}

// TestUpdate follows an image through its updates, and an old one that somebody shows again.
func TestUpdate(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	now := m.Signed
	old := func() { m.Signed = now.Add(-time.Hour); m.Publish("rocky-10", content("old")) }
	present := func() { m.Signed = now; m.Publish("rocky-10", content("present")) }
	old()
	n.does(0, "proved by signed checksums of "+m.Key, "image", "pull", "rocky")
	n.does(0, "has not changed", "image", "pull", "--update")
	present()
	n.does(0, "is here since", "image", "pull", "rocky-10")
	if got := n.does(0, "rocky-10 changed", "image", "pull", "--update", "rocky-10"); !strings.Contains(got, "digest") || !strings.Contains(got, " -> ") {
		t.Errorf("it does not say what changed:\n%s", got)
	}
	old()
	n.does(3, "it was signed before the image that is pinned here", "image", "pull", "--update", "rocky-10")
	n.does(0, "Vendor", "image", "verify", "rocky-10")
	if b, err := os.ReadFile(n.dir + "/catalogue/rocky-10/" + filepath.Base(m.Entry("rocky-10")["URL"])); err != nil || !bytes.Equal(b, content("present")) {
		t.Errorf("the pinned image was touched: %v", err)
	}
	n.does(0, "changed", "image", "pull", "--update", "--allow-older", "rocky-10")
	present()
	n.does(0, "changed", "image", "pull", "--update", "rocky-10")

	// A pin alone makes another node take the pinned image, and no other.
	other := newCatalogueNode(t, m, "")
	pin := "/catalogue/rocky-10/rocky-10.pin"
	b, err := os.ReadFile(n.dir + pin)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(other.dir+pin), 0o755)
	}
	if err == nil {
		err = os.WriteFile(other.dir+pin, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	other.does(0, "pinned", "image", "show", "rocky-10")
	m.Publish("rocky-10", content("newer"))
	other.does(3, "another image under that name than the pinned one", "image", "pull", "rocky-10")
	present()
	other.does(0, "proved by signed checksums", "image", "pull", "rocky-10")

	// Somebody may damage what is here.
	flip(t, n.dir+"/catalogue/rocky-10/"+filepath.Base(m.Entry("rocky-10")["URL"]))
	n.does(3, "digest", "image", "verify", "rocky-10")
	n.does(0, "removed", "image", "rm", "rocky-10")
	if got := n.held(); len(got) > 0 {
		t.Errorf("kept %q", got)
	}
	n.does(3, "neither an image of the catalogue that was pulled nor a file", "image", "rm", "rocky-10")
	n.does(3, "IMAGE_DIR", "image", "rm", "../conf")
}

// TestPinnedAnew gives the digest of a pinned image that its vendor has under its dated name
// alone, where nothing is beside it: the pin still says who signed it, and when.
func TestPinnedAnew(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "")
	m.Publish("alma-10", content("old"))
	n.does(0, "proved by signed checksums of "+m.Key, "image", "pull", "alma-10")
	at := m.At(m.Entry("alma-10")["URL"], "")
	if err := os.Rename(at, strings.Replace(at, "latest", "10.1-20260701.0", 1)); err != nil {
		t.Fatal(err)
	}
	old := m.Signed
	m.Signed = time.Now()
	m.Publish("alma-10", content("new"))
	digest := fmt.Sprintf("sha512:%x", sha512.Sum512(content("old")))
	if got := n.does(0, "proved by signed checksums of "+m.Key, "image", "pull", "--digest", digest, "alma-10"); strings.Contains(got, "changed") {
		t.Errorf("it is the same image:\n%s", got)
	}
	m.Signed = old.Add(-time.Minute)
	m.Publish("alma-10", content("older"))
	n.does(3, "it was signed before the image that is pinned here", "image", "pull", "--update", "alma-10")
}

// TestDemands holds pulls against VERIFY_IMAGES.
func TestDemands(t *testing.T) {
	t.Parallel()
	m := mirror.New(t, shippedEntries)
	n := newCatalogueNode(t, m, "VERIFY_IMAGES=required\n")
	m.Publish("debian-13", content("debian"))
	m.Publish("oracle-10", content("oracle"))
	m.Publish("alpine-3.24", content("alpine"))
	n.does(3, "nobody signed", "image", "pull", "debian-13")
	n.does(0, "the digest of the catalogue", "image", "pull", "oracle-10")
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256(content("debian")))
	n.does(3, "its digest is not the one that was given", "image", "pull", "--digest", "sha256:"+strings.Repeat("0", 64), "debian-13")
	n.does(0, "debian-13", "image", "pull", "--digest", sum, "debian-13")
	n.does(0, "debian-13", "image", "verify", "debian-13")
	n.does(0, "is here since", "image", "pull", "--digest", sum, "debian-13")

	// What was pinned without a proof satisfies nobody who requires one, until it is proved.
	n.configure("")
	m.Publish("debian-12", content("debian"))
	n.does(0, "proved by checksums that nobody signed", "image", "pull", "debian-12")
	n.configure("VERIFY_IMAGES=required\n")
	doubt := "it was pinned by checksums that nobody signed"
	anew := "compare its digest with what its vendor says elsewhere, and give it: snf-image image pull --digest sha256:HEX debian-12"
	n.does(3, "it is not proved as it is demanded: "+doubt+"; "+anew, "image", "verify", "debian-12")
	n.does(0, doubt+", and VERIFY_IMAGES in "+n.conf, "image", "pull", "debian-12")
	n.does(0, " requires a proof; "+anew, "image", "pull", "debian-12")
	n.does(0, "VERIFY_IMAGES=required refuses it: "+doubt, "image", "show", "debian-12")
	n.does(3, "another digest than the one that is given", "image", "pull", "--digest", "sha512:"+strings.Repeat("0", 128), "debian-12")
	n.does(0, "proved by the digest of --digest", "image", "pull", "--digest", sum, "debian-12")
	n.does(0, "debian-12", "image", "verify", "debian-12")

	if err := os.Remove(filepath.Join(m.Keyring, m.Key+".asc")); err != nil {
		t.Fatal(err)
	}
	n.does(3, "snf-image key add", "image", "pull", "alpine-3.24")
	n.does(0, "unverified until the key is supplied", "image", "show", "alpine-3.24")
	n.configure("")
	n.does(0, "checksums that nobody signed", "image", "pull", "alpine-3.24")
	n.does(0, "https://alpinelinux.org/keys/tomalok.asc", "image", "show", "alpine")
	m.Trust(m.Key)
	n.does(3, doubt+"; snf-image image pull --update alpine-3.24", "image", "verify", "alpine-3.24")
	if got := n.does(0, "proved by signature of "+m.Key, "image", "pull", "--update", "alpine-3.24"); strings.Contains(got, "changed") {
		t.Errorf("only the proof is new:\n%s", got)
	}
	n.does(0, "has not changed", "image", "pull", "--update", "alpine-3.24")
	if err := os.Remove(filepath.Join(m.Keyring, m.Key+".asc")); err != nil {
		t.Fatal(err)
	}
	n.does(2, "3:1", "image", "pull", broken(t, m))
	if err := os.Remove(n.dir + "/catalogue/debian-12/" + filepath.Base(m.Entry("debian-12")["URL"])); err != nil {
		t.Fatal(err)
	}
	n.does(3, "snf-image: error: verifying the image, on debian-12: only its pin is here; pull the image", "image", "verify", "debian-12")
	m.Publish("rocky-10", content("rocky"))
	n.does(3, "was not pulled; snf-image image pull rocky-10", "image", "verify", "rocky-10")
	n.does(3, "reading the archive, on "+n.dir+": is a directory", "image", "import", n.dir)
	n.does(3, "reading the archive, on "+n.conf+": it is not an archive", "image", "import", n.conf)
	n.does(3, "did you mean debian-13?", "image", "pull", "debian-31")
}

// broken makes an entry with a mistake.
func broken(t *testing.T, m *mirror.Mirror) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.Entries, "broken.conf"), []byte("URL=https://example.org/a\nFORMAT=raw\nPROPERTIE=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return "broken"
}
