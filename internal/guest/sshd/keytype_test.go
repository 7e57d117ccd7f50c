package sshd

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"snf-image/tests/require"

	"github.com/google/go-cmp/cmp"
)

// TestHostKeyOfAnyName has private keys alone, whose names tell nothing.
func TestHostKeyOfAnyName(t *testing.T) {
	t.Parallel()
	require.Tool(t, "ssh-keygen")
	for _, c := range []struct{ kind, format string }{
		{"rsa", "RFC4716"}, {"rsa", "PEM"}, {"rsa", "PKCS8"}, {"ecdsa", "RFC4716"}, {"ecdsa", "PEM"}, {"ecdsa", "PKCS8"}, {"ed25519", "RFC4716"},
	} {
		t.Run(c.kind+" "+c.format, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "key")
			out, err := exec.Command("ssh-keygen", "-q", "-t", c.kind, "-m", c.format, "-N", "", "-f", file).CombinedOutput()
			if err != nil {
				t.Fatalf("ssh-keygen: %v %s", err, out)
			}
			key, err := os.ReadFile(file)
			must(t, err)
			s, err := Read(image(t, map[string]string{"etc/mine": string(key), "etc/ssh/sshd_config": "HostKey /etc/mine\n"}))
			must(t, err)
			if diff := cmp.Diff([]string{c.kind}, s.Types()); diff != "" {
				t.Errorf("Types (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrivateTypeOfNoKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "x", "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nc3NoLXJzYQ==\n-----END PRIVATE KEY-----\n",
	} {
		if got := privateType([]byte(text)); got != "" {
			t.Errorf("privateType(%q) = %q, want none", text, got)
		}
	}
}
