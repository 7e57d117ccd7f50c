package network

import (
	"strings"
	"testing"

	"snf-image/internal/guest/netconf"
)

func TestFreeNames(t *testing.T) {
	t.Parallel()
	const rule = `SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:01", NAME="eth0"` + "\n"
	for title, c := range map[string]struct {
		living bool
		mac    string
		rule   string
		active bool
	}{
		"another's":         {false, "aa:00:00:00:00:01", rule, false},
		"its own":           {true, "52:54:00:00:00:01", rule, true},
		"unknown, a copy":   {false, "", rule, false},
		"unknown, a living": {true, "", rule, true},
	} {
		g := newGuest(t, map[string]string{"etc/udev/rules.d/70-persistent-net.rules": c.rule})
		g.Living = c.living
		check(t, freeNames(g.Guest, []netconf.Interface{{Name: "eth0", MAC: c.mac, IPv4: netconf.DHCP}}))
		got := g.Content(t, "etc/udev/rules.d/70-persistent-net.rules")
		if strings.HasPrefix(got, "SUBSYSTEM") != c.active {
			t.Errorf("%s: %q, active %t wanted", title, got, c.active)
		}
	}
	g := newGuest(t, map[string]string{"etc/udev/rules.d/70-persistent-net.rules": "FIFO"})
	wants(t, freeNames(g.Guest, nil), "a FIFO")
}
