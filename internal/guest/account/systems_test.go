package account

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/guest"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
	"snf-image/tests/require"
	"snf-image/tests/support"
	"snf-image/tests/systems"
)

const (
	hash = "$6$salt$hash"
	key  = "ssh-ed25519 AAAA admin"
	day  = 20000
)

// defaults are the new users of the systems whose image names one, by passwd, and the groups
// they are in; of the others a user called admin.
var defaults = map[string]struct{ passwd, groups string }{
	"debian-11":    {"debian:x:1000:1000:Debian:/home/debian:/bin/bash", "adm audio cdrom dialout dip floppy netdev plugdev sudo video"},
	"debian-12":    {"debian:x:1000:1000:Debian:/home/debian:/bin/bash", "adm audio cdrom dialout dip floppy netdev plugdev sudo video"},
	"debian-13":    {"debian:x:1000:1000:Debian:/home/debian:/bin/bash", "adm audio cdrom dialout dip floppy netdev plugdev sudo video"},
	"ubuntu":       {"ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash", "adm cdrom dip lxd sudo"},
	"fedora":       {"fedora:x:1000:1000:fedora Cloud User:/home/fedora:/bin/bash", "adm systemd-journal wheel"},
	"centos-9":     {"cloud-user:x:1000:1000:Cloud User:/home/cloud-user:/bin/bash", "adm systemd-journal"},
	"rhel-9":       {"cloud-user:x:1000:1000:Cloud User:/home/cloud-user:/bin/bash", "adm systemd-journal"},
	"rhel-10":      {"cloud-user:x:1000:1000:Cloud User:/home/cloud-user:/bin/bash", "adm systemd-journal"},
	"rocky-9":      {"rocky:x:1000:1000:rocky Cloud User:/home/rocky:/bin/bash", "adm systemd-journal"},
	"almalinux-10": {"almalinux:x:1000:1000:almalinux Cloud User:/home/almalinux:/bin/bash", "adm systemd-journal"},
	"oracle-9":     {"cloud-user:x:1000:1000:Cloud User:/home/cloud-user:/bin/bash", "adm systemd-journal"},
	"amazon-2023":  {"ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash", "adm systemd-journal wheel"},
	"leap-15":      {"opensuse:x:1000:100::/home/opensuse:/bin/bash", "cdrom users"},
	"leap-16":      {"opensuse:x:1000:100::/home/opensuse:/bin/bash", "cdrom users"},
	"sles-15":      {"sles:x:1000:100::/home/sles:/bin/bash", "cdrom users"},
	"arch":         {"arch:x:1000:1000:arch Cloud User:/home/arch:/bin/bash", "users wheel"},
	"alpine":       {"alpine:x:1000:1000:alpine Cloud User:/home/alpine:/bin/ash", "adm wheel"},
	"kubuntu":      {"admin:x:1000:1000::/home/admin:/bin/sh", ""},
	"gentoo":       {"admin:x:1000:1000::/home/admin:/bin/bash", ""},
	"void":         {"admin:x:1000:1000::/home/admin:/bin/bash", ""},
	"slackware":    {"admin:x:1000:100::/home/admin:/bin/bash", ""},
}

// TestUsersOfSystems gives root and a new user of each system a password and a key. pwck and
// grpck find no more to complain of than before.
func TestUsersOfSystems(t *testing.T) {
	t.Parallel()
	require.Tool(t, "pwck")
	if os.Geteuid() != 0 {
		require.Missing(t, "not root")
	}
	shown := support.Collect(t)
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, s.Make(t, bashes(s)))
			want := defaults[s.ID]
			name, _, _ := strings.Cut(want.passwd, ":")
			before := complaints(t, g.Dir)
			c := Change{
				Users: []string{"root", name}, Hashes: map[string]spec.Secret{"root": hash, name: hash}, Keys: []string{key},
				Day: day, Create: true, AllowSSH: true,
			}
			check(t, c.Check(g.Guest))
			check(t, c.Apply(g.Guest))
			if diff := cmp.Diff(before, complaints(t, g.Dir)); diff != "" {
				t.Errorf("pwck and grpck (-before +after):\n%s", diff)
			}
			checkUser(t, g, name, want.passwd, want.groups)
			if got := line(t, g, "etc/shadow", "root"); got != "root:"+hash+":20000:0:99999:7:::" {
				t.Errorf("root in shadow: %q", got)
			}
			if got := g.Content(t, "root/.ssh/authorized_keys"); got != key+"\n" {
				t.Errorf("keys of root: %q", got)
			}
			checkPasswordsTaken(t, g)
			for _, task := range []string{"password", "create-users"} {
				shown.Show(s.ID, task, support.Parser)
			}
			shown.Show(s.ID, "keys", support.Transcribed)
		})
	}
}

// bashes adds the shells that /bin leads to where a tree has them in /usr alone.
func bashes(s systems.System) map[string]string {
	for _, f := range s.Files {
		if strings.HasPrefix(f.Path, "bin/") {
			return nil
		}
	}
	return map[string]string{"bin": "-> usr/bin"}
}

// checkUser looks at all that a new user consists of.
func checkUser(t *testing.T, g guest.Guest, name, passwd, groups string) {
	t.Helper()
	if got := line(t, g, "etc/passwd", name); got != passwd {
		t.Errorf("passwd: %q, want %q", got, passwd)
	}
	if got := line(t, g, "etc/shadow", name); got != name+":"+hash+":20000:0:99999:7:::" {
		t.Errorf("shadow: %q", got)
	}
	for _, p := range []string{"etc/group", "etc/gshadow"} {
		if !g.Root.Has(p) {
			continue
		}
		var in []string
		for line := range strings.Lines(g.Content(t, p)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if slices.Contains(strings.Split(f[3], ","), name) {
				in = append(in, f[0])
			}
		}
		slices.Sort(in)
		if got := strings.Join(in, " "); got != groups {
			t.Errorf("%s: in %q, want %q", p, got, groups)
		}
	}
	if g.Root.Has("/etc/subuid") {
		if got := line(t, g, "etc/subuid", name); !strings.HasSuffix(got, ":65536") {
			t.Errorf("subuid: %q", got)
		}
	}
	home := "home/" + name
	if mode, uid, _ := g.Owned(t, home); uid != 1000 || mode&0o022 != 0 {
		t.Errorf("%s: %o of %d", home, mode, uid)
	}
	if mode, uid, _ := g.Owned(t, home+"/.ssh/authorized_keys"); uid != 1000 || mode != 0o600 {
		t.Errorf("keys: %o of %d", mode, uid)
	}
}

// complaints returns what pwck and grpck complain of in a tree.
func complaints(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for _, args := range [][]string{{"pwck", "-r", "-q", "-R", dir}, {"grpck", "-r", "-R", dir}} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			all = append(all, line)
		}
		if err != nil {
			all = append(all, err.Error())
		}
	}
	return all
}

// checkPasswordsTaken wants the SSH server to take the passwords now.
func checkPasswordsTaken(t *testing.T, g guest.Guest) {
	t.Helper()
	for _, w := range *g.Warnings {
		if strings.Contains(w, "does not take") {
			t.Error(w)
		}
	}
}
