package network

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
)

// TestApplyIfupdown configures NICs in trees of files.
func TestApplyIfupdown(t *testing.T) {
	t.Parallel()
	const oldMain = "auto lo\niface lo inet loopback\nsource interfaces.d/*\nsource-directory /etc/network/more\nauto eth0\n"
	debian := map[string]string{
		"sbin/ifup": "", "sbin/dhclient": "", "var/lib/dpkg/status": "Package: ifupdown\nStatus: install ok installed\nVersion: 0.8.41\n",
		"etc/network/interfaces": oldMain,
	}
	with := func(more map[string]string) map[string]string {
		files := map[string]string{}
		for _, m := range []map[string]string{debian, more} {
			for p, content := range m {
				files[p] = content
			}
		}
		return files
	}
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24"}}
	main := "# This file was written by snf-image.\n\nsource interfaces.d/*\nsource-directory /etc/network/more\n\nauto lo\niface lo inet loopback\n\n" +
		"rename mac/aa:00:00:00:00:01/=eth0\nauto eth0\niface eth0 inet static\n\taddress 10.0.0.2/24\n"
	dhcpcd := with(map[string]string{"usr/sbin/dhcpcd": "", "etc/dhcpcd.conf": "slaac private\n"})
	delete(dhcpcd, "sbin/dhclient")
	for title, c := range map[string]struct {
		files  map[string]string
		nics   []spec.NIC
		config string
		want   map[string]string
		err    string
		warns  int
	}{
		"replaced": {with(nil), nics, "dhcp", map[string]string{
			"etc/network/interfaces": main, "etc/network/interfaces.snf-image-orig": oldMain,
		}, "", 0},
		"ours replaced": {with(map[string]string{"etc/network/interfaces": "# This file was written by snf-image.\n"}), nil, "dhcp", map[string]string{
			"etc/network/interfaces": "# This file was written by snf-image.\n\nauto lo\niface lo inet loopback\n",
		}, "", 0},
		"includes": {with(map[string]string{
			"etc/network/interfaces.d/a": "auto eth1\nsource b/*\n", "etc/network/interfaces.d/b/c": "auto ens3\n",
			"etc/network/more/d": "auto eth0 br0\n", "etc/network/more/e.bak": "auto eth0\n",
		}), nics, "dhcp", map[string]string{
			"etc/network/interfaces.d/a":   "# disabled by snf-image: auto eth1\nsource b/*\n",
			"etc/network/interfaces.d/b/c": "# disabled by snf-image: auto ens3\n",
			"etc/network/more/d":           "# disabled by snf-image: auto eth0 br0\nauto br0\n",
			"etc/network/more/e.bak":       "auto eth0\n",
		}, "", 0},
		"names of the kernel": {with(map[string]string{"etc/systemd/network/99-default.link": "-> /dev/null"}), append(nics, spec.NIC{MAC: "aa:00:00:00:00:02"}), "", map[string]string{
			"etc/network/interfaces": strings.NewReplacer("=eth0", "=nic0", " eth0", " nic0").Replace(main),
		}, "", 1},
		"dhcpcd alone": {dhcpcd, []spec.NIC{{MAC: "aa:00:00:00:00:01", DHCP: true, Gateway6: "fe80::1"}}, "", map[string]string{
			"etc/network/interfaces": strings.Replace(main, "inet static\n\taddress 10.0.0.2/24", "inet dhcp", 1),
			"etc/dhcpcd.conf":        "slaac private\n# The lines from here to the next such mark were written by snf-image.\ninterface eth0\nnoipv4ll\nipv6rs\nslaac hwaddr\nnodhcp6\n# End of what snf-image wrote.\n", "etc/dhcpcd.conf.snf-image-orig": "slaac private\n",
		}, "", 0},
		"dhcpcd for nothing": {dhcpcd, nics, "", map[string]string{
			"etc/network/interfaces": main, "etc/dhcpcd.conf": "slaac private\n",
		}, "", 0},
		"include loop": {with(map[string]string{
			"etc/network/interfaces.d/a": "source *\n", "etc/network/interfaces.d/f": "FIFO",
			"etc/network/interfaces.d/l": "-> OUTSIDE/canary",
		}), nics, "dhcp", nil, "", 0},
		"shell include": {with(map[string]string{"etc/network/interfaces": "source $X/*\n"}), nics, "dhcp", nil, "", 1},
		"no file": {map[string]string{"sbin/ifup": "", "etc/network/x": ""}, nil, "dhcp", map[string]string{
			"etc/network/interfaces": "# This file was written by snf-image.\n\nauto lo\niface lo inet loopback\n",
		}, "", 0},
		"other ifupdown": {map[string]string{"etc/network/interfaces": ""}, nics, "", nil, "", 1},
		"no DHCP client": {map[string]string{"etc/network/interfaces": "", "var/lib/dpkg/status": debian["var/lib/dpkg/status"]}, []spec.NIC{{}}, "dhcp", nil, "", 1},
		"unknown system": {map[string]string{"etc": "DIR"}, nics, "dhcp", nil, "", 1},
		"FIFO":           {with(map[string]string{"etc/network/interfaces": "FIFO"}), nics, "dhcp", nil, "a FIFO", 0},
		"loop":           {with(map[string]string{"etc/network/interfaces": "-> interfaces"}), nics, "dhcp", nil, "too many levels", 0},
		"link":           {with(map[string]string{"etc/network/interfaces": "-> /run/i", "run/i": oldMain}), nics, "dhcp", map[string]string{"run/i": main}, "", 0},
		"link to nothing": {with(map[string]string{"etc/network/interfaces": "-> OUTSIDE/x"}), nil, "dhcp", map[string]string{
			"etc/network/interfaces": "# This file was written by snf-image.\n\nauto lo\niface lo inet loopback\n",
		}, "", 0},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			wants(t, Configure(g.Guest, planned(t, c.nics, c.config), false), c.err)
			if len(*g.Warnings) != c.warns {
				t.Errorf("warnings %q, want %d", *g.Warnings, c.warns)
			}
			for p, want := range c.want {
				if diff := cmp.Diff(want, g.Content(t, p)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", p, diff)
				}
			}
		})
	}
}
