package identity

import (
	"fmt"
	"strings"
	"testing"

	"snf-image/tests/support"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

// on makes a guest of a system's tree.
func on(t *testing.T, s systems.System) guest {
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
			t.Error(fmt.Sprintf("/etc/hosts has an address without a name: %q", line))
		}
	}
}
