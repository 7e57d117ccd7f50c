package identity

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/spec"
	"snf-image/tests/guest"
	"snf-image/tests/require"
	"snf-image/tests/support"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

// on makes a guest of a system's tree.
func on(t *testing.T, s systems.System) guest.Guest {
	t.Helper()
	made := s.Make(t, nil)
	g := newGuest(t, nil)
	g.Tree, g.Root = made, open(t, made)
	return g
}

// nameFiles are the files from which systems that are not like most read their name.
var nameFiles = map[string]string{
	"gentoo":    "etc/conf.d/hostname # Set to the hostname of this machine\nhostname=\"web1.example.org\"\n",
	"slackware": "etc/HOSTNAME web1.example.org\n",
}

// ownNames are the names that the images of some systems have at a loopback address.
var ownNames = map[string]string{"kubuntu": "kubuntu", "void": "void-live", "slackware": "darkstar"}

// TestHostnameOfSystems gives each system its name.
func TestHostnameOfSystems(t *testing.T) {
	t.Parallel()
	shown := support.Collect(t)
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			g := on(t, s)
			const name = "web1.example.org"
			check(t, CheckHostname(g.Guest, name))
			check(t, SetHostname(g.Guest, name))
			file, want, ok := strings.Cut(nameFiles[s.ID], " ")
			if !ok {
				file, want = "etc/hostname", name+"\n"
			}
			if got := g.Content(t, file); got != want {
				t.Errorf("%s = %q, want %q", file, got, want)
			}
			checkHosts(t, g.Tree, s)
			shown.Show(s.ID, "hostname", support.Transcribed)
		})
	}
}

// checkHosts wants the image's own name gone from /etc/hosts, the new one where it had
// 127.0.1.1, and no line more.
func checkHosts(t *testing.T, made tree.Tree, s systems.System) {
	t.Helper()
	hosts, before := made.Content(t, "etc/hosts"), s.Make(t, nil).Content(t, "etc/hosts")
	if own := ownNames[s.ID]; own != "" && strings.Contains(hosts, own) {
		t.Errorf("/etc/hosts has still %s:\n%s", own, hosts)
	}
	if had, has := strings.Contains(before, "127.0.1.1"), strings.Contains(hosts, "127.0.1.1 web1.example.org web1\n"); had != has {
		t.Errorf("/etc/hosts, 127.0.1.1:\n%s", hosts)
	}
	if a, b := strings.Count(before, "\n"), strings.Count(hosts, "\n"); a != b {
		t.Errorf("/etc/hosts has %d lines, had %d", b, a)
	}
	for line := range strings.Lines(hosts) {
		if f := strings.Fields(line); len(f) == 1 {
			t.Errorf("/etc/hosts has an address without a name: %q", line)
		}
	}
}

// machineIDs are those of systems that have none, or say so; the others get a new one.
var machineIDs = map[string]string{
	"fedora": "uninitialized\n", "rhel-9": "uninitialized\n", "rhel-10": "uninitialized\n", "amazon-2023": "uninitialized\n",
	"arch": "", "alpine": "", "gentoo": "", "void": "", "slackware": "",
}

// TestIdentityOfSystems gives each system a machine id as it wants one, and leaves nothing of
// the image's own machine.
func TestIdentityOfSystems(t *testing.T) {
	t.Parallel()
	shown := support.Collect(t)
	const id = "0123456789abcdef0123456789abcdef"
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			g := on(t, s)
			check(t, SetMachineID(g.Guest, id))
			check(t, RemoveTraces(g.Guest, id))
			want, own := machineIDs[s.ID]
			if !own {
				want = id + "\n"
			}
			got := ""
			if g.Root.Has(machineID) {
				got = g.Content(t, machineID)
			}
			if got != want {
				t.Errorf("machine id %q, want %q", got, want)
			}
			for _, f := range s.Files {
				if isTrace(f.Path) && g.Root.Has("/"+f.Path) {
					t.Errorf("%s is still there", f.Path)
				}
				if f.Link != "" {
					if to, err := g.Root.Readlink("/" + f.Path); err != nil || to != f.Link {
						t.Errorf("%s leads to %q (%v), want %q", f.Path, to, err, f.Link)
					}
				}
			}
			shown.Show(s.ID, "identity", support.Transcribed)
		})
	}
}

// isTrace tells the files of a tree that are the image's own machine's by their places.
func isTrace(p string) bool {
	for _, dir := range []string{"var/lib/dhcp", "var/lib/NetworkManager", "var/lib/wicked", "var/db/dhcpcd", "var/lib/seedrng"} {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	return strings.HasSuffix(p, "random-seed")
}

// TestTracesLeft has what is not the identity of the image's machine, or not safe to touch.
func TestTracesLeft(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		files  map[string]string
		living bool
		want   string // whether the file is left
		warns  string
	}{
		"secret":              {map[string]string{"var/lib/systemd/credential.secret": "x"}, false, "gone", ""},
		"secret in use":       {map[string]string{"var/lib/systemd/credential.secret": "x", "etc/credstore.encrypted/a": "x"}, false, "left", ""},
		"secret of a unit":    {map[string]string{"var/lib/systemd/credential.secret": "x", "etc/systemd/system/a.service.d/b.conf": "[Service]\nSetCredentialEncrypted=c: x\n"}, false, "left", ""},
		"secret of no unit":   {map[string]string{"var/lib/systemd/credential.secret": "x", "etc/systemd/system/a.service": "[Service]\nSetCredential=c: x\n"}, false, "gone", ""},
		"secret of a machine": {map[string]string{"var/lib/systemd/credential.secret": "x"}, true, "left", ""},
		"directory":           {map[string]string{"var/lib/dhcpcd/duid": "DIR"}, false, "left", ""},
		"link":                {map[string]string{"var/lib/systemd/random-seed": "-> OUTSIDE/canary"}, false, "left", ""},
		"link of others":      {map[string]string{"var/lib": "OPEN", "var/lib/dhcpcd": "-> elsewhere", "var/lib/elsewhere/duid": "x"}, false, "left", "was left"},
		"other file":          {map[string]string{"var/lib/dhcpcd/hooks": "x"}, false, "left", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			g.Living = c.living
			check(t, RemoveTraces(g.Guest, "0123456789abcdef0123456789abcdef"))
			for p, content := range c.files {
				if content == "OPEN" || strings.HasPrefix(p, "etc/") {
					continue
				}
				if has := g.Root.Has("/" + p); has != (c.want == "left") {
					t.Errorf("%s is there: %v, want it %s", p, has, c.want)
				}
			}
			if got := strings.Join(*g.Warnings, "; "); (got == "") != (c.warns == "") || !strings.Contains(got, c.warns) {
				t.Errorf("warnings %q, want %q", got, c.warns)
			}
		})
	}
}

// TestHostKeysOfSystems replaces the host keys of each system, with its owner and mode.
func TestHostKeysOfSystems(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	shown := support.Collect(t)
	var keys []spec.HostKey
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		keys = append(keys, spec.HostKey{Type: kind, Private: spec.Secret(kind + " new\n"), Public: "ssh-" + kind + " new"})
	}
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			g := on(t, s)
			if !g.Root.Has("/etc/ssh") {
				return
			}
			const left = "etc/ssh/ssh_host_ed25519_key"
			check(t, os.WriteFile(filepath.Join(g.Dir, left), []byte("old"), 0o600))
			check(t, ReplaceHostKeys(g.Guest, keys))
			mode, group := fs.FileMode(0o600), 0
			if slices.Contains([]string{"centos-9", "rhel-9", "rocky-9", "oracle-9", "amazon-2023"}, s.ID) {
				mode, group = 0o640, 101
			}
			for _, k := range keys {
				p := "etc/ssh/ssh_host_" + k.Type + "_key"
				if m, uid, gid := g.Owned(t, p); m != mode || uid != 0 || gid != group || g.Content(t, p) != k.Private.Reveal() {
					t.Errorf("%s is %o of %d:%d, want %o of 0:%d", p, m, uid, gid, mode, group)
				}
				if m, _, gid := g.Owned(t, p+".pub"); m != 0o644 || gid != 0 {
					t.Errorf("%s.pub is %o of group %d", p, m, gid)
				}
			}
			shown.Show(s.ID, "hostkeys", support.Transcribed)
		})
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		require.Missing(t, "not root")
	}
}
