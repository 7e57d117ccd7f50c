package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetHostname(t *testing.T) {
	t.Parallel()
	const name = "web1.example.org"
	hosts := "127.0.0.1\tlocalhost\n127.0.1.1\told\n"
	for title, c := range map[string]struct {
		files map[string]string
		file  string
		want  string // of file
		err   string
	}{
		"hostname file":     {map[string]string{"etc/hostname": "old\n"}, "etc/hostname", name + "\n", ""},
		"link in the image": {map[string]string{"etc/hostname": "-> /usr/name", "usr/name": "old"}, "usr/name", name + "\n", ""},
		"link to nothing":   {map[string]string{"etc/hostname": "-> OUTSIDE/canary"}, "etc/hostname", name + "\n", ""},
		"red hat":           {map[string]string{"etc/redhat-release": "x", "etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=old\n"}, "etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=" + name + "\n", ""},
		"suse":              {map[string]string{"etc/os-release": "ID=opensuse-leap\n"}, "etc/HOSTNAME", name + "\n", ""},
		"slackware":         {map[string]string{"etc/slackware-version": "14\n", "etc/HOSTNAME": "old\n"}, "etc/HOSTNAME", name + "\n", ""},
		"gentoo":            {map[string]string{"etc/os-release": "ID=gentoo\n", "etc/conf.d/hostname": "hostname=\"old\"\n"}, "etc/conf.d/hostname", "hostname=\"" + name + "\"\n", ""},
		"arch":              {map[string]string{"etc/os-release": "ID=arch\n"}, "etc/hostname", name + "\n", ""},
		"arch rc.conf":      {map[string]string{"etc/os-release": "ID=arch\n", "etc/rc.conf": "HOSTNAME=old\n"}, "etc/rc.conf", "HOSTNAME=" + name + "\n", ""},
		"coreos":            {map[string]string{"etc/os-release": "ID=coreos\n"}, "etc/hostname", name + "\n", ""},
		"systemd alone":     {map[string]string{"etc/os-release": "ID=almalinux\n", "usr/lib/systemd/systemd": "x"}, "etc/hostname", name + "\n", ""},
		"unknown":           {map[string]string{"etc/os-release": "ID=plan9\n"}, "", "", "found no /etc/hostname"},
		"FIFO":              {map[string]string{"etc/hostname": "FIFO"}, "", "", "a FIFO"},
		"link to FIFO":      {map[string]string{"etc/hostname": "-> f", "etc/f": "FIFO"}, "", "", "a FIFO"},
		"device":            {map[string]string{"etc/hostname": "ZERO"}, "", "", "a device node"},
		"directory":         {map[string]string{"etc/hostname": "DIR"}, "", "", "a directory"},
		"loop":              {map[string]string{"etc/hostname": "-> hostname"}, "", "", "too many levels"},
		"etc is a loop":     {map[string]string{"etc": "-> etc"}, "", "", "found no /etc/hostname"},
		"huge":              {map[string]string{"etc/hostname": strings.Repeat("x", 5<<20)}, "", "", "larger than"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if _, isLink := c.files["etc"]; !isLink {
				c.files["etc/hosts"] = hosts
			}
			g := newGuest(t, c.files)
			err := SetHostname(g.Guest, name)
			wants(t, err, c.err)
			if err != nil {
				return
			}
			if got := g.Content(t, c.file); got != c.want {
				t.Errorf("%s = %q, want %q", c.file, got, c.want)
			}
			if got := g.Content(t, "etc/hosts"); !strings.Contains(got, "127.0.1.1\t"+name+" web1\n") {
				t.Errorf("hosts = %q", got)
			}
		})
	}
}

func TestSetHostnameArchHosts(t *testing.T) {
	t.Parallel()
	g := newGuest(t, map[string]string{"etc/os-release": "ID=arch\n", "etc/hostname": "old\n", "etc/hosts": "127.0.0.1 localhost old\n"})
	// The old name is read before it is overwritten.
	check(t, SetHostname(g.Guest, "web1"))
	if got, want := g.Content(t, "etc/hosts"), "127.0.0.1 localhost web1\n"; got != want {
		t.Errorf("hosts = %q, want %q", got, want)
	}
}

// TestSetHostnameLoopback has the image's own name at the loopback addresses.
func TestSetHostnameLoopback(t *testing.T) {
	t.Parallel()
	for hosts, want := range map[string]string{
		"127.0.0.1\tlocalhost old.example.org old # x\n":     "127.0.0.1\tlocalhost # x\n",
		"127.0.0.1 old\r\n::1 localhost old ip6-localhost\n": "127.0.0.1 localhost\r\n::1 localhost ip6-localhost\n",
		"127.0.0.1 localhost older web1 old\n10.0.0.1 old\n": "127.0.0.1 localhost older web1\n10.0.0.1 old\n",
		"127.0.0.1  localhost\tlocalhost.localdomain\n":      "127.0.0.1  localhost\tlocalhost.localdomain\n",
	} {
		g := newGuest(t, map[string]string{"etc/os-release": "ID=debian\n", "etc/hostname": "old\n", "etc/hosts": hosts})
		check(t, SetHostname(g.Guest, "web1"))
		if got := g.Content(t, "etc/hosts"); got != want {
			t.Errorf("hosts = %q, want %q", got, want)
		}
	}
	for _, old := range []string{"localhost", "localhost.localdomain", "web1"} {
		hosts := "127.0.0.1 localhost localhost.localdomain web1\n"
		g := newGuest(t, map[string]string{"etc/hostname": old + "\n", "etc/hosts": hosts})
		check(t, SetHostname(g.Guest, "web1"))
		if got := g.Content(t, "etc/hosts"); got != hosts {
			t.Errorf("%s: hosts = %q, want them as they were", old, got)
		}
	}
}

func TestSetHostnameNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a b": "white space", "a\nb": "white space", "a\x1b[1m": "white space"} {
		g := newGuest(t, map[string]string{"etc/hostname": "old\n"})
		wants(t, SetHostname(g.Guest, name), want)
	}
	g := newGuest(t, map[string]string{"etc/hostname": "old\n"})
	check(t, SetHostname(g.Guest, strings.Repeat("x", 65)))
	if len(*g.Warnings) != 1 {
		t.Errorf("warnings %q, want one", *g.Warnings)
	}
}

func TestSetMachineID(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("ab", 16) + "\n"
	for title, c := range map[string]struct {
		files   map[string]string
		changed []string
		warns   int
		err     string
	}{
		"both": {
			map[string]string{"etc/machine-id": "old\n", "var/lib/dbus/machine-id": "old\n"},
			[]string{"/etc/machine-id", "/var/lib/dbus/machine-id"},
			0, "",
		},
		"linked": {
			map[string]string{"etc/machine-id": "old\n", "var/lib/dbus/machine-id": "-> /etc/machine-id"},
			[]string{"/etc/machine-id"},
			0, "",
		},
		"no D-Bus":      {map[string]string{"etc/machine-id": ""}, []string{"/etc/machine-id"}, 0, ""},
		"no D-Bus copy": {map[string]string{"etc/machine-id": "", "usr/bin/dbus-daemon": ""}, []string{"/etc/machine-id"}, 0, ""},
		"neither":       {map[string]string{"etc": "DIR"}, []string{}, 1, ""},
		"never booted":  {map[string]string{"etc/machine-id": "uninitialized\n", "var/lib/dbus/machine-id": "old\n"}, []string{"/var/lib/dbus/machine-id"}, 1, ""},
		"linked, never": {map[string]string{"etc/machine-id": "uninitialized\n", "var/lib/dbus/machine-id": "-> /etc/machine-id"}, []string{}, 1, ""},
		"leads out":     {map[string]string{"etc/machine-id": "-> OUTSIDE/canary"}, []string{}, 1, ""},
		"FIFO":          {map[string]string{"etc/machine-id": "FIFO"}, []string{}, 0, "a FIFO"},
		"loop":          {map[string]string{"etc/machine-id": "-> machine-id"}, []string{}, 0, "too many levels"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			wants(t, SetMachineID(g.Guest, strings.TrimSpace(id)), c.err)
			if diff := cmp.Diff(c.changed, g.Root.Changed()); diff != "" || len(*g.Warnings) != c.warns {
				t.Errorf("warnings %q, changed (-want +got):\n%s", *g.Warnings, diff)
			}
			for _, p := range c.changed {
				if got := g.Content(t, p); got != id {
					t.Errorf("%s = %q", p, got)
				}
			}
		})
	}
	g := newGuest(t, nil)
	wants(t, SetMachineID(g.Guest, "short"), "32 lower-case")
}
