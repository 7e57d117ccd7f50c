// Package mirror serves images of the catalogue as their vendors do: under their names, with
// checksums and signatures in each vendor's shape, by keys that gpg makes for the test.
//
// It reads the shipped entries by itself, as a second opinion, and makes copies of them that
// are bound to its own key.
package mirror

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snf-image/tests/gpg"
)

// Mirror is a mirror of all vendors.
type Mirror struct {
	URL     string
	Root    string // what is served
	Entries string // for CATALOGUE_DIRS
	Keyring string // for KEYRING_DIR
	Key     string // the fingerprint that entries are bound to
	Signer  string // the key that signs what is published next
	Signed  time.Time

	t       testing.TB
	shipped string
	gpg     gpg.GPG
}

// New starts a mirror of the entries in the directory shipped, of which none is published.
func New(t testing.TB, shipped string) *Mirror {
	t.Helper()
	m := &Mirror{Root: t.TempDir(), Entries: t.TempDir(), Keyring: t.TempDir(), Signed: time.Now().Add(-time.Hour), t: t, shipped: shipped, gpg: gpg.New(t)}
	server := httptest.NewServer(http.FileServer(http.Dir(m.Root)))
	t.Cleanup(server.Close)
	m.URL = server.URL
	m.Key = m.NewKey("Vendor", "never")
	m.Trust(m.Key)
	m.Signer = m.Key
	return m
}

// Settings are those of a node that uses the mirror.
func (m *Mirror) Settings() string {
	return fmt.Sprintf("CATALOGUE_MIRROR=%q\nALLOW_URL=%q\nCATALOGUE_DIRS=%q\nKEYRING_DIR=%q\nVENDOR_KEYS_DIR=%q\n", m.URL, m.URL, m.Entries, m.Keyring, m.Keyring+"/none")
}

// NewKey makes a key of two days ago that expires, if not "never", a time after that.
func (m *Mirror) NewKey(name, expires string) string {
	m.t.Helper()
	return m.gpg.Key(name+" <"+name+"@example.org>", "ed25519", expires, faked(time.Now().Add(-48*time.Hour)))
}

// faked is the option that makes gpg believe in a time.
func faked(at time.Time) string { return fmt.Sprintf("--faked-system-time=%d!", at.Unix()) }

// Trust puts a key into the keyring, as it is now.
func (m *Mirror) Trust(fingerprint string) {
	m.t.Helper()
	m.write(filepath.Join(m.Keyring, fingerprint+".asc"), string(m.gpg.Export(fingerprint)))
}

// Revoke revokes a key; who trusts it has to hear of that.
func (m *Mirror) Revoke(fingerprint string) { m.gpg.Revoke(fingerprint) }

// Names are those of the shipped entries.
func (m *Mirror) Names() []string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.shipped, "*.conf"))
	if err != nil || len(files) == 0 {
		m.t.Fatalf("no entries in %s: %v", m.shipped, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".conf")
	}
	return files
}

var (
	assignment = regexp.MustCompile(`(?m)^([A-Z_]+)="(.*)"$`)
	variable   = regexp.MustCompile(`\$\{([A-Z_]+)\}`)
)

// Entry returns what a shipped entry says, by name.
func (m *Mirror) Entry(name string) map[string]string {
	m.t.Helper()
	text := m.read(filepath.Join(m.shipped, name+".conf"))
	values := map[string]string{"ARCH": "x86_64", "DEBIAN_ARCH": "amd64"}
	for _, a := range assignment.FindAllStringSubmatch(text, -1) {
		values[a[1]] = variable.ReplaceAllStringFunc(a[2], func(v string) string { return values[strings.Trim(v, "${}")] })
	}
	return values
}

// At returns the file of the mirror that is at an address, or beside it.
func (m *Mirror) At(address, beside string) string {
	m.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		m.t.Fatal(err)
	}
	file := u.Path
	if beside != "" {
		file = path.Join(path.Dir(file), strings.ReplaceAll(beside, "%", path.Base(file)))
	}
	return filepath.Join(m.Root, u.Host, file)
}

// Publish puts an image where its vendor would, with everything beside it, and makes the
// entry that is bound to the mirror's key.
func (m *Mirror) Publish(name string, image []byte) {
	m.t.Helper()
	e := m.Entry(name)
	at := e["URL"]
	m.write(m.At(at, ""), string(image))
	if e["SUMS"] != "" {
		sums := m.At(at, e["SUMS"])
		m.write(sums, text(name, path.Base(e["SUMS"]), path.Base(at), image))
		switch {
		case e["SIGNATURE"] != "":
			m.sign(sums, m.At(at, e["SIGNATURE"]))
		case e["KEYS"] != "" && e["IMAGE_SIGNATURE"] == "":
			m.write(sums, string(m.gpg.Run([]byte(m.read(sums)), "--local-user", m.Signer, faked(m.Signed), "--clear-sign")))
		}
	}
	if e["IMAGE_SIGNATURE"] != "" {
		m.sign(m.At(at, ""), m.At(at, e["IMAGE_SIGNATURE"]))
	}
	m.bind(name, image)
}

// bind makes the entry.
func (m *Mirror) bind(name string, image []byte) {
	m.t.Helper()
	own := regexp.MustCompile(`(?m)^KEYS=.*$`).ReplaceAllString(m.read(filepath.Join(m.shipped, name+".conf")), `KEYS="`+m.Key+`"`)
	own = regexp.MustCompile(`(?m)^DIGEST=.*$`).ReplaceAllString(own, `DIGEST="sha256:`+digest(image, "256")+`"`)
	m.write(filepath.Join(m.Entries, name+".conf"), own)
}

// sign makes a detached signature, armored where its name says so.
func (m *Mirror) sign(file, as string) {
	m.t.Helper()
	more := []string{faked(m.Signed)}
	if strings.HasSuffix(as, ".asc") {
		more = append(more, "--armor")
	}
	m.write(as, string(m.gpg.Sign(m.Signer, []byte(m.read(file)), more...)))
}

func (m *Mirror) read(file string) string {
	m.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

func (m *Mirror) write(file, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func digest(image []byte, bits string) string {
	if bits == "512" {
		sum := sha512.Sum512(image)
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(image)
	return hex.EncodeToString(sum[:])
}

// text is the file of checksums of a vendor.
func text(entry, file, image string, content []byte) string {
	bits := "256"
	if strings.Contains(file, "512") {
		bits = "512"
	}
	sum, other := digest(content, bits), digest([]byte("another"), bits)
	vendor, _, _ := strings.Cut(entry, "-")
	switch vendor {
	case "ubuntu":
		return fmt.Sprintf("%s *another.img\n%s *%s\n", other, sum, image)
	case "fedora", "rocky":
		return fmt.Sprintf("# another: 7 bytes\nSHA256 (another) = %s\n# %s: %d bytes\nSHA256 (%s) = %s\n", other, image, len(content), image, sum)
	case "centos":
		return fmt.Sprintf("SHA256 (%s) = %s\n", image, sum)
	case "alma":
		return fmt.Sprintf("%s  another\n%s  %s\n%s  %s\n", other, sum, image, sum, strings.Replace(image, "latest", "10.1-20260701.0", 1))
	case "opensuse":
		return fmt.Sprintf("%s  %s\n", sum, strings.Replace(image, "Cloud", "Cloud-Build7.42", 1))
	case "alpine":
		return sum + "\n"
	}
	return fmt.Sprintf("%s  another\n%s  %s\n", other, sum, image)
}
