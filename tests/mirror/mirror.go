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
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"snf-image/tests/require"
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
	home    string // of gpg
}

// New starts a mirror of the entries in the directory shipped, of which none is published.
func New(t testing.TB, shipped string) *Mirror {
	t.Helper()
	require.Tool(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // the sockets of its agent have short paths
	if err != nil {
		t.Fatal(err)
	}
	m := &Mirror{Root: t.TempDir(), Entries: t.TempDir(), Keyring: t.TempDir(), Signed: time.Now().Add(-time.Hour), t: t, shipped: shipped, home: home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // after the test's context
		_ = os.RemoveAll(home)
	})
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

func (m *Mirror) gpg(args ...string) string {
	m.t.Helper()
	return require.Run(m.t, "", append([]string{"gpg", "--homedir", m.home, "--batch", "--yes", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
}

// NewKey makes a key that expires, if not "never", a time after two days ago.
func (m *Mirror) NewKey(name, expires string) string {
	m.t.Helper()
	m.gpg(faked(time.Now().Add(-48*time.Hour)), "--quick-gen-key", name+" <"+name+"@example.org>", "ed25519", "sign", expires)
	for line := range strings.Lines(m.gpg("--with-colons", "--list-keys", name+"@example.org")) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	m.t.Fatalf("no key %s", name)
	return ""
}

// faked is the option that makes gpg believe in a time.
func faked(at time.Time) string { return fmt.Sprintf("--faked-system-time=%d!", at.Unix()) }

// Trust puts a key into the keyring, as it is now.
func (m *Mirror) Trust(fingerprint string) {
	m.write(filepath.Join(m.Keyring, fingerprint+".asc"), m.gpg("--armor", "--export", fingerprint))
}

// Revoke revokes a key; who trusts it has to hear of that.
func (m *Mirror) Revoke(fingerprint string) {
	m.t.Helper()
	file := filepath.Join(m.home, "openpgp-revocs.d", fingerprint+".rev")
	text, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(file, strings.Replace(string(text), ":-----BEGIN", "-----BEGIN", 1))
	m.gpg("--import", file)
}

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
	text, err := os.ReadFile(filepath.Join(m.shipped, name+".conf"))
	if err != nil {
		m.t.Fatal(err)
	}
	values := map[string]string{"ARCH": "x86_64", "DEBIAN_ARCH": "amd64"}
	for _, a := range assignment.FindAllStringSubmatch(string(text), -1) {
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
			m.gpg("--local-user", m.Signer, faked(m.Signed), "--output", sums+".clear", "--clearsign", sums)
			if err := os.Rename(sums+".clear", sums); err != nil {
				m.t.Fatal(err)
			}
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
	data, err := os.ReadFile(filepath.Join(m.shipped, name+".conf"))
	if err != nil {
		m.t.Fatal(err)
	}
	own := regexp.MustCompile(`(?m)^KEYS=.*$`).ReplaceAllString(string(data), `KEYS="`+m.Key+`"`)
	own = regexp.MustCompile(`(?m)^DIGEST=.*$`).ReplaceAllString(own, `DIGEST="sha256:`+digest(image, "256")+`"`)
	m.write(filepath.Join(m.Entries, name+".conf"), own)
}

// sign makes a detached signature, armored where its name says so.
func (m *Mirror) sign(file, as string) {
	m.t.Helper()
	args := []string{"--local-user", m.Signer, faked(m.Signed), "--output", as, "--detach-sign"}
	if strings.HasSuffix(as, ".asc") {
		args = slices.Insert(args, 0, "--armor")
	}
	m.gpg(append(args, file)...)
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
