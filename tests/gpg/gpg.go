// Package gpg runs the real gpg, with a home and keys of the test's own.
package gpg

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// GPG is gpg with the keys of a test.
type GPG struct {
	t    testing.TB
	home string
}

// New returns a gpg without a key.
func New(t testing.TB) GPG {
	t.Helper()
	require.Tool(t, "gpg")
	home, err := os.MkdirTemp("/tmp", "gpg") // the sockets of gpg-agent have short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // after the test's context
		_ = os.RemoveAll(home)
	})
	return GPG{t, home}
}

// Run returns what gpg printed.
func (g GPG) Run(stdin []byte, args ...string) []byte {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("gpg %q: %v\n%s", args, err, &errs)
	}
	return out.Bytes()
}

// Key makes a key and returns its fingerprint.
func (g GPG) Key(name, algorithm, expires string, more ...string) string {
	g.t.Helper()
	g.Run(nil, append(more, "--quick-gen-key", name, algorithm, "sign", expires)...)
	for line := range strings.Lines(string(g.Run(nil, "--with-colons", "--list-keys", "="+name))) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	g.t.Fatalf("no fingerprint for %s", name)
	return ""
}

// Sign returns a detached signature of data by a key.
func (g GPG) Sign(key string, data []byte, more ...string) []byte {
	g.t.Helper()
	return g.Run(data, append(more, "--local-user", key, "--output", "-", "--detach-sign")...)
}

// ClearSign returns a text with its signature by a key.
func (g GPG) ClearSign(key string, text []byte) []byte {
	g.t.Helper()
	return g.Run(text, "--local-user", key, "--clear-sign")
}

// Export returns the public keys of those names, or all.
func (g GPG) Export(names ...string) []byte {
	g.t.Helper()
	return g.Run(nil, append([]string{"--armor", "--export"}, names...)...)
}

// Subkey adds a subkey that signs to a key, and returns its id.
func (g GPG) Subkey(fingerprint, expires string, more ...string) string {
	g.t.Helper()
	g.Run(nil, append(more, "--quick-add-key", fingerprint, "ed25519", "sign", expires)...)
	id := ""
	for line := range strings.Lines(string(g.Run(nil, "--with-colons", "--list-keys", fingerprint))) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == "sub" {
			id = f[4] // of the last one
		}
	}
	return id
}

// RevokeSubkey revokes the first subkey of a key, for a reason by gpg's number.
func (g GPG) RevokeSubkey(fingerprint, reason string) {
	g.t.Helper()
	g.Run([]byte("key 1\nrevkey\ny\n"+reason+"\n\ny\nsave\n"), "--command-fd", "0", "--edit-key", fingerprint)
}

// Revoke revokes a key by the certificate gpg made with it.
func (g GPG) Revoke(fingerprint string) {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.home, "openpgp-revocs.d", fingerprint+".rev"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.Run(bytes.Replace(data, []byte(":-----BEGIN"), []byte("-----BEGIN"), 1), "--import")
}
