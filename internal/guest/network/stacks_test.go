package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/spec"
)

const (
	wanted             = "etc/systemd/system/multi-user.target.wants/"
	networkdUnit       = networkdService + ".service"
	networkManagerUnit = networkManagerService + ".service"
	ifupdownUnit       = ifupdownService + ".service"
	ethernet           = "[connection]\ntype=ethernet\n"
	networkd           = "etc/systemd/network/"
	keyfiles           = "etc/NetworkManager/system-connections/"
	scripts            = "etc/sysconfig/network-scripts/"
)

// TestApply looks at what becomes of every file of an image in each stack that is
// configured: of those with content "=", that they are what the renderer makes.
func TestApply(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{
		{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24", DNS: []string{"10.0.0.53"}},
		{MAC: "aa:00:00:00:00:02"},
	}
	const resolver, ours = "# This file was written by snf-image.\nnameserver 10.0.0.53\n", "# This file was written by snf-image.\n"
	for title, c := range map[string]struct {
		files    map[string]string // units and programs among them
		living   bool
		keyfiles bool
		want     map[string]string // of what is new, changed or gone ("")
	}{
		"networkd": {map[string]string{
			wanted + networkdUnit: "-> x", networkd + "10-dhcp.network": "[Match]\nName=en*\n", "etc/resolv.conf": "old\n",
		}, false, false, map[string]string{
			networkd + "00-snf-image-nic0.network": "=nic0", networkd + "00-snf-image-nic1.network": "=nic1", networkd + "00-snf-image-others.network": "=others",
			"etc/resolv.conf": resolver, "etc/resolv.conf.snf-image-orig": "old\n",
		}},
		"networkd with resolved, again": {map[string]string{
			wanted + networkdUnit: "-> x", wanted + resolvedUnit: "-> x", "etc/resolv.conf": "-> ../run/systemd/resolve/stub-resolv.conf",
			networkd + "00-snf-image-nic0.network": ours, networkd + "00-snf-image-nic7.network": ours,
		}, false, false, map[string]string{
			networkd + "00-snf-image-nic0.network": "=nic0", networkd + "00-snf-image-nic1.network": "=nic1", networkd + "00-snf-image-others.network": "=others",
			networkd + "00-snf-image-nic7.network": "",
		}},
		"networkd, living": {map[string]string{
			wanted + networkdUnit: "-> x", wanted + resolvedUnit: "-> x",
			networkd + "00-snf-image-nic0.network": ours + "#0\n", networkd + "00-snf-image-nic7.network": ours + "#7\n",
		}, true, false, map[string]string{
			networkd + "00-snf-image-nic0.network": "=nic0", networkd + "00-snf-image-nic1.network": "=nic1", networkd + "00-snf-image-others.network": "=others",
			networkd + "00-snf-image-nic0.network.snf-image-old": ours + "#0\n",
			networkd + "00-snf-image-nic7.network":               "", networkd + "00-snf-image-nic7.network.snf-image-old": ours + "#7\n",
		}},
		"netplan of Debian's image": {map[string]string{
			"usr/sbin/netplan": "", "etc/netplan": "DIR", wanted + networkdUnit: "-> x", wanted + resolvedUnit: "-> x",
		}, false, false, map[string]string{"etc/netplan/50-snf-image.yaml": "=networkd"}},
		"netplan with files": {map[string]string{
			"usr/sbin/netplan": "", "etc/netplan/50-cloud-init.yaml": "network: {ethernets: {}}\n", "etc/netplan/60-bridge.yaml": "# no ethernets: here\nnetwork: {bridges: {}}  # ethernets: {}\n",
			"usr/lib/netplan/90-default.yaml": "network: {ethernets: {}}\n", "usr/lib/netplan/00-nm.yaml": "network: {}\n", wanted + networkdUnit: "-> x",
		}, false, false, map[string]string{
			"etc/netplan/50-snf-image.yaml": "=networkd", "etc/netplan/90-default.yaml": ours,
			"etc/netplan/50-cloud-init.yaml": "", "etc/netplan/50-cloud-init.yaml.snf-image-orig": "network: {ethernets: {}}\n",
			"etc/resolv.conf": resolver,
		}},
		"netplan on a desktop": {map[string]string{
			"usr/sbin/netplan": "", "usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x", keyfiles + "Wired": ethernet,
		}, false, false, map[string]string{
			"etc/netplan/50-snf-image.yaml": "=NetworkManager", keyfiles + "Wired": "", keyfiles + "Wired.snf-image-orig~": ethernet,
		}},
		"NetworkManager": {map[string]string{
			"usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x",
			keyfiles + "Wired 1.nmconnection": ethernet, keyfiles + "office.nmconnection": "[connection]\ntype=vpn\n", keyfiles + "old~": ethernet,
			scripts + "ifcfg-eth0": "DEVICE=eth0\n", scripts + "ifcfg-lo": "DEVICE=lo\n", scripts + "ifcfg-Office": "TYPE=Ethernet\n", scripts + "ifcfg-br0": "TYPE=Bridge\n",
			"etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n",
		}, false, false, map[string]string{
			keyfiles + "snf-image-nic0.nmconnection": "=nic0", "etc/NetworkManager/conf.d/90-snf-image.conf": noAuto,
			keyfiles + "Wired 1.nmconnection": "", keyfiles + "Wired 1.nmconnection.snf-image-orig~": ethernet,
			scripts + "ifcfg-eth0": "", scripts + "ifcfg-eth0.snf-image-orig~": "DEVICE=eth0\n",
			scripts + "ifcfg-Office": "", scripts + "ifcfg-Office.snf-image-orig~": "TYPE=Ethernet\n",
			"etc/network/interfaces": "# disabled by snf-image: auto eth0\n# disabled by snf-image: iface eth0 inet dhcp\n",
		}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			g.Living = c.living
			interfaces := planned(t, nics, "")
			before := g.Snapshot(t)
			check(t, Check(g.Guest, interfaces, c.keyfiles))
			check(t, Configure(g.Guest, interfaces, c.keyfiles))
			if len(*g.Warnings) > 0 {
				t.Errorf("warnings %q", *g.Warnings)
			}
			if diff := cmp.Diff(c.want, changes(before, g.Snapshot(t), rendered(interfaces))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			again := g.Snapshot(t)
			check(t, Configure(g.Guest, interfaces, c.keyfiles))
			if diff := cmp.Diff(again, g.Snapshot(t)); diff != "" {
				t.Errorf("a second time (-before +after):\n%s", diff)
			}
		})
	}
}

// rendered returns what the renderers make, by short names.
func rendered(interfaces []netconf.Interface) map[string][]string {
	return map[string][]string{
		"=nic0":           {string(netconf.Networkd(interfaces[0], false)), string(netconf.Keyfile(interfaces[0], false))},
		"=nic1":           {string(netconf.Networkd(interfaces[1], false))},
		"=others":         {string(netconf.NetworkdOthers())},
		"=networkd":       {string(netconf.Netplan(interfaces, netconf.ByNetworkd))},
		"=NetworkManager": {string(netconf.Netplan(interfaces, netconf.ByNetworkManager))},
	}
}

// changes returns the files that differ, with "" for one that is gone and the short name
// of what a renderer made.
func changes(before, after map[string]string, names map[string][]string) map[string]string {
	got := map[string]string{}
	for p := range before {
		if after[p] == "" {
			got[p[1:]] = ""
		}
	}
	for p, text := range after {
		mode, text, isFile := strings.Cut(text, " ")
		if before[p] == after[p] || !isFile {
			continue
		}
		for name, texts := range names {
			if slices.Contains(texts, text) {
				text = name
			}
		}
		if private := strings.Contains(p, "netplan/") || strings.Contains(p, "snf-image-nic0.nm"); private && before[p] == "" && strings.HasPrefix(text, "=") && mode != "-rw-------" {
			text += " with mode " + mode
		}
		got[p[1:]] = text
	}
	return got
}

// TestApplyRefuses names what is in the way before anything is written.
func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24", DNS: []string{"10.0.0.53"}}}
	for p, files := range map[string]map[string]string{
		"/etc/systemd/network/00-snf-image-nic0.network":                     {wanted + networkdUnit: ""},
		"/etc/netplan/50-snf-image.yaml":                                     {"usr/sbin/netplan": ""},
		"/etc/NetworkManager/system-connections/snf-image-nic0.nmconnection": {"usr/sbin/NetworkManager": ""},
		"/etc/NetworkManager/conf.d/90-snf-image.conf":                       {"usr/sbin/NetworkManager": ""},
		"/etc/resolv.conf":                          {wanted + networkdUnit: ""},
		"/etc/sysconfig/network":                    {scripts + "ifcfg-lo": "", "etc/rc.d/rc3.d/S10network": ""},
		"/etc/sysconfig/network/routes":             {"usr/sbin/wicked": ""},
		"/etc/sysconfig/network/config":             {"usr/sbin/wicked": ""},
		"/etc/udev/rules.d/70-persistent-net.rules": {wanted + networkdUnit: ""},
		"/etc/network/interfaces":                   {"usr/sbin/NetworkManager": ""},
	} {
		files[p[1:]] = "DIR"
		g := newGuest(t, files)
		for _, err := range []error{Check(g.Guest, planned(t, nics, ""), false), Configure(g.Guest, planned(t, nics, ""), false)} {
			if err == nil || !strings.Contains(err.Error(), p) {
				t.Errorf("%s is a directory: %v", p, err)
			}
		}
	}
}

// TestCopiesAreNotRead has a file that an administrator edited, or a link, in the place of one
// of ours: NetworkManager, the initscripts and netctl read what does not end with "~".
func TestCopiesAreNotRead(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24"}}
	for p, files := range map[string]map[string]string{
		keyfiles + "snf-image-nic0.nmconnection": {"usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x"},
		scripts + "ifcfg-eth0":                   {"etc/rc.d/rc3.d/S10network": ""},
		"etc/sysconfig/network/ifcfg-eth0":       {"usr/sbin/wicked": ""},
		"etc/netctl/snf-image-nic0":              {"usr/bin/netctl": ""},
	} {
		for kept, old := range map[string]string{".snf-image-old~": netconf.Header + "edited\n", ".snf-image-orig~": "-> ../x"} {
			files[p] = old
			g := newGuest(t, files)
			g.Living = true
			for range 2 {
				check(t, Configure(g.Guest, planned(t, nics, ""), false))
			}
			copies, err := g.Root.Glob("/" + p + ".*")
			check(t, err)
			if len(copies) != 1 || copies[0] != "/"+p+kept {
				t.Errorf("%s: copies %q, want %s", p, copies, kept)
			}
		}
	}
}

// TestIncludedRefuses changes nothing where a file that is included cannot be read, however
// deep, whichever stack takes its stanzas away.
func TestIncludedRefuses(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24"}}
	for title, program := range map[string]string{
		"ifupdown": "usr/sbin/ifup", "ifupdown-ng": "usr/libexec/ifupdown-ng/link", "NetworkManager": "usr/sbin/NetworkManager", "rival": wanted + networkdUnit,
	} {
		files := map[string]string{
			"usr/sbin/ifup": "", "etc/network/interfaces": "source interfaces.d/*\n",
			"etc/network/interfaces.d/a": "auto eth0\niface eth0 inet dhcp\nsource ../more/*\n",
			"etc/network/more/b":         strings.Repeat("#", maxInterfaces+1),
		}
		if title == "NetworkManager" || title == "rival" {
			delete(files, "usr/sbin/ifup")
			files[wanted+ifupdownUnit] = ""
		}
		files[program] = ""
		g := newGuest(t, files)
		before := g.Snapshot(t)
		if err := Check(g.Guest, planned(t, nics, ""), false); err == nil || !strings.Contains(err.Error(), "/etc/network/more/b") {
			t.Errorf("%s: Check = %v", title, err)
		}
		if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
			t.Errorf("%s: changed (-before +after):\n%s", title, diff)
		}
		delete(files, "etc/network/more/b")
		g = newGuest(t, files)
		check(t, Check(g.Guest, planned(t, nics, ""), false))
		check(t, Configure(g.Guest, planned(t, nics, ""), false))
		if text := g.Content(t, "etc/network/interfaces.d/a"); !strings.Contains(text, "# disabled by snf-image: iface eth0") {
			t.Errorf("%s: %s", title, text)
		}
	}
}

// TestNotStarted warns where nothing reads what was written.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	for want, files := range map[string]map[string]string{
		"does not start systemd-networkd": {networkd + "a.network": ""},
		"starts NetworkManager":           {"usr/sbin/NetworkManager": ""},
	} {
		g := newGuest(t, files)
		check(t, Configure(g.Guest, nil, false))
		if len(*g.Warnings) != 1 || !strings.Contains((*g.Warnings)[0], want) {
			t.Errorf("warnings %q, want %q", *g.Warnings, want)
		}
	}
}
