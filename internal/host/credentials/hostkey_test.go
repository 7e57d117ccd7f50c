package credentials

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// newKeys makes one key of each type.
func newKeys(t *testing.T) []spec.HostKey {
	t.Helper()
	keys, err := NewHostKeys(t.Context(), "root@web1", HostKeyTypes())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// file puts text into a file only we can read, as ssh-keygen demands.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHostKeysAgainstSSHKeygen(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	for i, want := range []struct{ kind, bits, name string }{
		{"ed25519", "256", "(ED25519)"}, {"ecdsa", "256", "(ECDSA)"}, {"rsa", "3072", "(RSA)"},
	} {
		key := keys[i]
		t.Run(want.kind, func(t *testing.T) {
			t.Parallel()
			if key.Type != want.kind {
				t.Fatalf("key %d has type %s, want %s", i, key.Type, want.kind)
			}
			private := file(t, "key", key.Private.Reveal())
			if got := run(t, "", "ssh-keygen", "-y", "-P", "", "-f", private); got != key.Public {
				t.Errorf("ssh-keygen -y = %q, ours %q", got, key.Public)
			}
			if !strings.HasPrefix(key.Private.Reveal(), "-----BEGIN OPENSSH PRIVATE KEY-----\n") {
				t.Errorf("the private key is not in OpenSSH's format")
			}
			fingerprint, err := Fingerprint(key.Public)
			if err != nil {
				t.Fatal(err)
			}
			line := strings.Join([]string{want.bits, fingerprint, "root@web1", want.name}, " ")
			if got := run(t, "", "ssh-keygen", "-l", "-f", file(t, "key.pub", key.Public+"\n")); got != line {
				t.Errorf("ssh-keygen -l = %q, ours %q", got, line)
			}
		})
	}
}

func TestHostKeysAreFresh(t *testing.T) {
	t.Parallel()
	keys, err := NewHostKeys(t.Context(), "c", []string{"ed25519", "ed25519", "ecdsa", "ecdsa"})
	if err != nil {
		t.Fatal(err)
	}
	if keys[0].Public == keys[1].Public || keys[2].Public == keys[3].Public {
		t.Error("two keys are the same")
	}
}

func TestHostKeyErrors(t *testing.T) {
	t.Parallel()
	if keys, err := NewHostKeys(t.Context(), "c", []string{"ed25519", "dsa"}); !errors.Is(err, ErrUnknownType) || keys != nil {
		t.Errorf("NewHostKeys(dsa) = %v, %v, want %v", keys, err, ErrUnknownType)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	if _, err := NewHostKeys(ctx, "c", HostKeyTypes()); !errors.Is(err, why) {
		t.Errorf("NewHostKeys after the end = %v, want %v", err, why)
	}
	if f, err := Fingerprint("nonsense"); err == nil {
		t.Errorf("Fingerprint(nonsense) = %q", f)
	}
	if l, err := KnownHosts([]string{"a"}, []spec.HostKey{{Public: "nonsense"}}); err == nil {
		t.Errorf("KnownHosts(nonsense) = %q", l)
	}
}

// TestKnownHostsAgainstSSHKeygen looks every name up in a file made of the
// lines.
func TestKnownHostsAgainstSSHKeygen(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	lines, err := KnownHosts([]string{"web1.example.org", "", "192.0.2.5", "2001:DB8:0::5"}, keys)
	if err != nil || len(lines) != len(keys) {
		t.Fatalf("KnownHosts = %q, %v", lines, err)
	}
	path := file(t, "known_hosts", strings.Join(lines, "\n")+"\n")
	for _, name := range []string{"web1.example.org", "192.0.2.5", "2001:db8::5"} {
		found := run(t, "", "ssh-keygen", "-F", name, "-f", path)
		for _, line := range lines {
			if !slices.Contains(strings.Split(found, "\n"), line) {
				t.Errorf("ssh-keygen -F %s = %q, want the line %q", name, found, line)
			}
		}
	}
	if none, err := KnownHosts([]string{""}, keys); none != nil || err != nil {
		t.Errorf("KnownHosts without names = %q, %v", none, err)
	}
}

func TestCheckAuthorizedKeys(t *testing.T) {
	t.Parallel()
	key := newKeys(t)[0].Public
	good := []string{key, `from="192.0.2.0/24",command="echo \"hi\"",no-pty ` + key, strings.TrimSuffix(key, " root@web1")}
	if got := CheckAuthorizedKeys(good); len(got) > 0 {
		t.Errorf("CheckAuthorizedKeys of good lines = %q", got)
	}
	bad := []string{
		"", "ssh-ed25519", "ssh-ed25519 AAAAsecret", `command="open ` + key, "-----BEGIN OPENSSH PRIVATE KEY-----", key + "\n" + key,
		strings.Replace(key, "ssh-ed25519", "ssh-rsa", 1),
	}
	got := CheckAuthorizedKeys(bad)
	if len(got) != len(bad) {
		t.Errorf("CheckAuthorizedKeys of %d bad lines = %d warnings: %q", len(bad), len(got), got)
	}
	if strings.Contains(strings.Join(got, ""), "secret") {
		t.Errorf("a warning quotes a line: %q", got)
	}
}

func FuzzCheckAuthorizedKeys(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm0 a@b")
	f.Add(`command="x",no-pty ssh-rsa AAAA`)
	f.Fuzz(func(t *testing.T, line string) {
		if got := CheckAuthorizedKeys([]string{line}); len(got) > 1 {
			t.Errorf("CheckAuthorizedKeys(%q) = %q", line, got)
		}
	})
}
