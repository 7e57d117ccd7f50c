package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/spec"
)

func TestReplaceHostKeys(t *testing.T) {
	t.Parallel()
	keys := []spec.HostKey{
		{Type: "rsa", Private: "PRIVATE rsa\n", Public: "ssh-rsa AAAA c"},
		{Type: "ed25519", Private: "PRIVATE ed\n", Public: "ssh-ed25519 BBBB c"},
	}
	old := map[string]string{
		"etc/ssh/ssh_host_rsa_key": "OLD", "etc/ssh/ssh_host_rsa_key.pub": "OLD",
		"etc/ssh/ssh_host_dsa_key": "OLD", "etc/ssh/ssh_host_x": "-> OUTSIDE/canary", "usr/sbin/sshd": "",
	}
	for title, c := range map[string]struct {
		config string
		more   map[string]string
		want   map[string]string // of the files below /etc/ssh and /k, without sshd_config
		warns  int
		err    string
	}{
		"defaults": {"Port 22\n", nil, map[string]string{
			"etc/ssh/ssh_host_rsa_key": "PRIVATE rsa\n", "etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa AAAA c\n",
			"etc/ssh/ssh_host_ed25519_key": "PRIVATE ed\n", "etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 BBBB c\n",
		}, 1, ""},
		"custom path": {"HostKey /k/my_ed25519\n", map[string]string{"k/my_ed25519": "OLD", "k/other": "mine"}, map[string]string{
			"k/my_ed25519": "PRIVATE ed\n", "k/my_ed25519.pub": "ssh-ed25519 BBBB c\n", "k/other": "mine",
		}, 0, ""},
		"no type":   {"HostKey /k/secret\n", map[string]string{"k/secret": "OLD"}, nil, 0, "replacing the SSH host key /k/secret"},
		"DSA alone": {"HostKey /k/secret\n", map[string]string{"k/secret": "OLD", "k/secret.pub": "ssh-dss x"}, nil, 1, "replacing the SSH host key /k/secret"},
		"not there": {"HostKey /k/secret\n", map[string]string{"k/x": "mine"}, map[string]string{
			"k/secret": "PRIVATE ed\n", "k/secret.pub": "ssh-ed25519 BBBB c\n", "k/x": "mine",
		}, 0, ""},
		"DSA and more": {"HostKey /k/d\nHostKey /k/r\n", map[string]string{"k/d": "OLD", "k/d.pub": "ssh-dss x", "k/r": "OLD", "k/r.pub": "ssh-rsa x"}, map[string]string{
			"k/r": "PRIVATE rsa\n", "k/r.pub": "ssh-rsa AAAA c\n",
		}, 1, ""},
		"content wins": {"HostKey /k/ed25519\n", map[string]string{"k/ed25519": "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"}, map[string]string{
			"k/ed25519": "PRIVATE rsa\n", "k/ed25519.pub": "ssh-rsa AAAA c\n",
		}, 0, ""},
		"guest's place": {"HostKey /home/d/rsa\n", map[string]string{"home/d": "-> /etc", "home": "OPEN"}, nil, 0, "/home/d is a symbolic link"},
		"link replaced": {"HostKey /k/rsa\n", map[string]string{"k/rsa": "-> OUTSIDE/canary"}, map[string]string{"k/rsa": "PRIVATE rsa\n", "k/rsa.pub": "ssh-rsa AAAA c\n"}, 0, ""},
		"leads out":     {"HostKey /k/d/rsa\n", map[string]string{"k/d": "-> OUTSIDE"}, nil, 0, "link to nothing"},
		"directory":     {"HostKey /k/rsa\n", map[string]string{"k/rsa": "DIR"}, nil, 0, "a directory"},
		"two names": {"HostKey /l/rsa\nHostKey k/ed25519\n", map[string]string{"k/rsa": "OLD", "l": "-> /k", "k/ed25519": "OLD"}, map[string]string{
			"k/rsa": "PRIVATE rsa\n", "k/rsa.pub": "ssh-rsa AAAA c\n", "k/ed25519": "PRIVATE ed\n", "k/ed25519.pub": "ssh-ed25519 BBBB c\n", "l": "/k",
		}, 0, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/ssh/sshd_config": c.config}
			for _, m := range []map[string]string{old, c.more} {
				for p, content := range m {
					files[p] = content
				}
			}
			g := newGuest(t, files)
			before := g.Snapshot(t)
			wants(t, ReplaceHostKeys(g.Guest, keys), c.err)
			if len(*g.Warnings) != c.warns {
				t.Errorf("warnings %q, want %d", *g.Warnings, c.warns)
			}
			if strings.HasPrefix(c.err, "replacing") {
				if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
					t.Errorf("changed before it failed (-before +after):\n%s", diff)
				}
			}
			if c.want == nil {
				return
			}
			got := map[string]string{}
			for p, text := range g.Snapshot(t) {
				mode, text, isFile := strings.Cut(text, " ")
				p = strings.TrimPrefix(p, "/")
				if isFile && p != "etc/ssh/sshd_config" && p != "usr/sbin/sshd" {
					got[p] = text
					if strings.HasPrefix(text, "PRIVATE") && mode != "-rw-------" {
						t.Errorf("%s has mode %s", p, mode)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplaceHostKeysWithoutServer(t *testing.T) {
	t.Parallel()
	g := newGuest(t, map[string]string{"etc": "DIR"})
	if _, skipped := errors.AsType[*outcome.Skipped](ReplaceHostKeys(g.Guest, nil)); !skipped {
		t.Error("no server, want skipped")
	}
	// Somebody made a key: a server is at a place we do not know.
	g = newGuest(t, map[string]string{"etc/ssh/ssh_host_rsa_key": "OLD"})
	wants(t, ReplaceHostKeys(g.Guest, nil), "replacing the SSH host key /etc/ssh/ssh_host_rsa_key")
	keys := []spec.HostKey{{Type: "rsa", Private: "NEW", Public: "ssh-rsa AAAA"}}
	check(t, ReplaceHostKeys(g.Guest, keys))
	if got := g.Content(t, "etc/ssh/ssh_host_rsa_key"); got != "NEW" {
		t.Errorf("the key is %q", got)
	}
}
