package network

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/spec"
)

const (
	rulesFile = "etc/udev/rules.d/70-snf-image-net.rules"
	oneNIC    = "10.0.0.2"
)

// nicFiles returns what the renderer of a stack makes for the NICs, under their names, and
// the rules by which they get them.
func nicFiles(t *testing.T, dir string, nics []spec.NIC, names []string, render func(netconf.Interface) []netconf.File) map[string]string {
	t.Helper()
	files, rules := map[string]string{}, netconf.Header
	for n, i := range planned(t, nics, "") {
		if !i.Configured() {
			continue
		}
		if names[n] != "" {
			i.Name = names[n]
			rules += `SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="` + i.MAC + `", ATTR{type}=="1", NAME="` + i.Name + "\"\n"
		}
		for _, f := range render(i) {
			files[dir+f.Name] = string(f.Data)
		}
	}
	if rules != netconf.Header {
		files[rulesFile] = rules
	}
	return files
}

func with(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for p, content := range m {
			all[p] = content
		}
	}
	return all
}

// TestApplyByName looks at what becomes of every file of an image in the stacks that find
// an interface by its name, and in those that have files of their own for each.
func TestApplyByName(t *testing.T) {
	t.Parallel()
	one := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: oneNIC, Subnet: "10.0.0.0/24", Gateway: "10.0.0.1"}}
	two := append(one, spec.NIC{MAC: "aa:00:00:00:00:02", IP: "10.1.0.2", Subnet: "10.1.0.0/24", Gateway: "10.1.0.1", DNS: []string{"10.0.0.53"}})
	udev := map[string]string{"usr/bin/udevadm": ""}
	byNM := func(i netconf.Interface) []netconf.File { return netconf.Ifcfg(i, true) }
	scripted := func(i netconf.Interface) []netconf.File { return netconf.Ifcfg(i, false) }
	netctl := func(i netconf.Interface) []netconf.File {
		i.DNS = nil
		return []netconf.File{{Name: "etc/netctl/snf-image-nic0", Data: netconf.Netctl(i)}}
	}
	const (
		suse, old    = "etc/sysconfig/network/", "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"
		netctlUnit   = "etc/systemd/system/netctl@snf\\x2dimage\\x2dnic0.service.d/profile.conf"
		netctlLink   = "etc/systemd/system/multi-user.target.wants/netctl@snf\\x2dimage\\x2dnic0.service"
		resolver     = "# This file was written by snf-image.\nnameserver 10.0.0.53\n"
		eth0, global = "DEVICE=eth0\nBOOTPROTO=dhcp\n", "NETWORKING=yes\nHOSTNAME=x\nGATEWAY=192.0.2.1\n"
	)
	for title, c := range map[string]struct {
		nics  []spec.NIC
		files map[string]string
		want  map[string]string // of what is new, changed or gone ("")
	}{
		"initscripts of RHEL 6": {two, with(udev, map[string]string{
			"etc/rc.d/rc3.d/S10network": "-> ../init.d/network", "etc/sysconfig/network": global,
			scripts + "ifcfg-eth0": eth0, scripts + "ifcfg-lo": "DEVICE=lo\n", scripts + "route-eth0": "default via 192.0.2.1\n", scripts + "route-tun0": "x\n",
			scripts + "ifcfg-eth0-range0": "IPADDR_START=192.0.2.9\n", scripts + "ifcfg-eth0:1": "IPADDR=192.0.2.8\n",
			"etc/udev/rules.d/70-persistent-net.rules": "SUBSYSTEM==\"net\", ATTR{address}==\"52:54:00:00:00:09\", NAME=\"eth0\"\n",
		}), with(nicFiles(t, scripts, two, []string{"nic0", "nic1"}, scripted), map[string]string{
			scripts + "ifcfg-eth0": "", scripts + "ifcfg-eth0.snf-image-orig~": eth0, scripts + "route-eth0": "", scripts + "route-eth0.snf-image-orig~": "default via 192.0.2.1\n",
			scripts + "ifcfg-eth0-range0": "", scripts + "ifcfg-eth0-range0.snf-image-orig~": "IPADDR_START=192.0.2.9\n",
			scripts + "ifcfg-eth0:1": "", scripts + "ifcfg-eth0:1.snf-image-orig~": "IPADDR=192.0.2.8\n",
			"etc/sysconfig/network":                    "NETWORKING=yes\nHOSTNAME=x\n# disabled by snf-image: GATEWAY=192.0.2.1\n",
			"etc/udev/rules.d/70-persistent-net.rules": "# disabled by snf-image: SUBSYSTEM==\"net\", ATTR{address}==\"52:54:00:00:00:09\", NAME=\"eth0\"\n",
		})},
		"NetworkManager of RHEL 8": {one, with(udev, map[string]string{
			wanted + networkManagerUnit: "-> x", "usr/sbin/NetworkManager": "", "usr/lib64/NetworkManager/1.40.16/" + ifcfgPlugin: "", "etc/os-release": "ID=rhel\nVERSION_ID=\"8.10\"\n",
			scripts + "ifcfg-ens3": "DEVICE=ens3\nTYPE=Ethernet\n", scripts + "ifcfg-eth0": eth0,
		}), with(nicFiles(t, scripts, one, []string{""}, byNM), map[string]string{
			scripts + "ifcfg-ens3": "", scripts + "ifcfg-ens3.snf-image-orig~": "DEVICE=ens3\nTYPE=Ethernet\n", scripts + "ifcfg-eth0.snf-image-orig~": eth0,
			"etc/NetworkManager/conf.d/90-snf-image.conf": noAuto,
		})},
		"wicked of SLES 15": {two, with(udev, map[string]string{
			wanted + "wicked.service": "-> x", "usr/sbin/wicked": "", suse + "ifcfg-eth0": old, suse + "ifcfg-lo": "x\n", suse + "ifcfg-br0": "BRIDGE='yes'\n",
			suse + "config": "NETCONFIG_DNS_POLICY=\"auto\"\nNETCONFIG_DNS_STATIC_SERVERS=\"\"\n", suse + "routes": "default 192.0.2.1 - -\n10.9.0.0/16 192.0.2.9 - br0\n",
		}), with(nicFiles(t, suse, two, []string{"nic0", "nic1"}, netconf.Wicked), map[string]string{
			suse + "ifcfg-eth0": "", suse + "ifcfg-eth0.snf-image-orig~": old,
			suse + "config": "NETCONFIG_DNS_POLICY=\"auto\"\nNETCONFIG_DNS_STATIC_SERVERS=\"10.0.0.53\"\n",
			suse + "routes": "# disabled by snf-image: default 192.0.2.1 - -\n10.9.0.0/16 192.0.2.9 - br0\n",
		})},
		"netctl of Arch": {one, with(udev, map[string]string{
			"usr/bin/netctl": "", "etc/netctl/wired": "Connection=ethernet\nInterface=ens3\nIP=dhcp\n", wanted + "netctl@wired.service": "-> x",
		}), with(nicFiles(t, "", one, []string{"eth0"}, netctl), map[string]string{
			netctlUnit:         netconf.Header + "[Unit]\nBindsTo=sys-subsystem-net-devices-eth0.device\nAfter=sys-subsystem-net-devices-eth0.device\n",
			"etc/netctl/wired": "", "etc/netctl/wired.snf-image-orig~": "Connection=ethernet\nInterface=ens3\nIP=dhcp\n",
			wanted + "netctl@wired.service": "", netctlLink: "link",
		})},
		"netifrc of Gentoo": {two, with(udev, map[string]string{
			"etc/init.d/net.lo": "", "etc/runlevels/default/net.eth0": "-> /etc/init.d/net.eth0", "etc/conf.d/net": "config_eth0=\"dhcp\"\n",
		}), with(nicFiles(t, "", two, []string{"nic0", "nic1"}, func(netconf.Interface) []netconf.File { return nil }), map[string]string{
			"etc/conf.d/net": "=netifrc", "etc/conf.d/net.snf-image-orig": "config_eth0=\"dhcp\"\n", "etc/resolv.conf": resolver,
			"etc/runlevels/default/net.eth0": "", "etc/runlevels/default/net.nic0": "link", "etc/runlevels/default/net.nic1": "link",
			"etc/init.d/net.nic0": "link", "etc/init.d/net.nic1": "link",
		})},
		"ifupdown2": {one, with(udev, map[string]string{
			"usr/sbin/ifup": "", "usr/share/ifupdown2": "DIR", "etc/network/interfaces": "auto ens3\n", wanted + ifupdownUnit: "-> x",
		}), map[string]string{
			"etc/network/interfaces": "=ifupdown2", "etc/network/interfaces.snf-image-orig": "auto ens3\n",
			rulesFile: nicFiles(t, "", one, []string{"eth0"}, netconf.Wicked)[rulesFile],
		}},
		"ifupdown-ng of Alpine": {two, map[string]string{
			"sbin/ifup": "", "usr/libexec/ifupdown-ng": "DIR", "etc/network/interfaces": "auto eth0\n", "etc/runlevels/boot/networking": "-> /etc/init.d/networking",
			"etc/mdev.conf": "-SUBSYSTEM=net;DEVPATH=.*/net/.*;.*\troot:root 600 @/sbin/nameif -s\n",
		}, map[string]string{
			"etc/network/interfaces": "=ifupdown-ng", "etc/network/interfaces.snf-image-orig": "auto eth0\n", "etc/resolv.conf": resolver,
			"etc/mactab": netconf.Header + "nic0 aa:00:00:00:00:01\nnic1 aa:00:00:00:00:02\n",
		}},
		"runit of Void": {two, with(udev, map[string]string{
			"etc/runit/core-services": "DIR", "etc/sv/dhcpcd/run": "", "etc/runit/runsvdir/default/dhcpcd-eth0": "-> /etc/sv/dhcpcd-eth0",
			"etc/dhcpcd.conf": "duid\ninterface eth0\nstatic ip_address=192.0.2.1/24\n",
		}), map[string]string{
			"etc/runit/core-services/95-snf-image-network.sh": "=runit", "etc/dhcpcd.conf": "=dhcpcd", "etc/resolv.conf": resolver,
			"etc/dhcpcd.conf.snf-image-orig": "duid\ninterface eth0\nstatic ip_address=192.0.2.1/24\n", "etc/runit/runsvdir/default/dhcpcd-eth0": "",
			rulesFile: nicFiles(t, "", two, []string{"nic0", "nic1"}, netconf.Wicked)[rulesFile],
		}},
		"rc.inet1 of Slackware": {two, with(udev, map[string]string{
			"etc/rc.d/rc.inet1": "EXEC #!/bin/bash\n# IP6ADDRS\n", "etc/rc.d/rc.inet1.conf": "USE_DHCP[0]=\"yes\"\n", "etc/rc.d/rc.local": "EXEC #!/bin/bash\ntrue\n",
		}), map[string]string{
			"etc/rc.d/rc.inet1.conf": "=rc.inet1", "etc/rc.d/rc.inet1.conf.snf-image-orig": "USE_DHCP[0]=\"yes\"\n", "etc/resolv.conf": resolver,
			"etc/rc.d/rc.local": "=rc.local", "etc/rc.d/rc.local.snf-image-orig": "#!/bin/bash\ntrue\n",
			rulesFile: nicFiles(t, "", two, []string{"nic0", "nic1"}, netconf.Wicked)[rulesFile],
		}},
		"ifupdown-ng with dhcpcd": {one, map[string]string{
			"sbin/ifup": "", "usr/libexec/ifupdown-ng": "DIR", "sbin/dhcpcd": "", "etc/network/interfaces": "auto eth0\n", "etc/dhcpcd.conf": "duid\n",
		}, map[string]string{
			"etc/network/interfaces": "=ifupdown-ng", "etc/network/interfaces.snf-image-orig": "auto eth0\n", "etc/dhcpcd.conf.snf-image-orig": "duid\n",
			"etc/dhcpcd.conf": string(netconf.Dhcpcd([]byte("duid\n"), planned(t, one, ""), false)),
		}},
		"busybox of Alpine": {one, map[string]string{
			"sbin/ifup": "-> /bin/busybox", "bin/busybox": "", "etc/network/interfaces": "auto eth0\n", "etc/runlevels/boot/networking": "-> /etc/init.d/networking",
		}, map[string]string{
			"etc/network/interfaces": "=busybox", "etc/network/interfaces.snf-image-orig": "auto eth0\n",
		}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, c.files)
			interfaces := planned(t, c.nics, "")
			before := g.Snapshot(t)
			check(t, Check(g.Guest, interfaces, false))
			check(t, Configure(g.Guest, interfaces, false))
			if len(*g.Warnings) > 0 {
				t.Errorf("warnings %q", *g.Warnings)
			}
			if diff := cmp.Diff(c.want, links(before, g.Snapshot(t), changes(before, g.Snapshot(t), wholes(interfaces, c.want)))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			again := g.Snapshot(t)
			check(t, Configure(g.Guest, interfaces, false))
			if diff := cmp.Diff(again, g.Snapshot(t)); diff != "" {
				t.Errorf("a second time (-before +after):\n%s", diff)
			}
		})
	}
}

// wholes are the files for all interfaces that want mentions, by short names. Others are
// left out: for some interfaces two stacks have the same text.
func wholes(interfaces []netconf.Interface, want map[string]string) map[string][]string {
	named := append([]netconf.Interface(nil), interfaces...)
	for n := range named {
		if len(named) > 1 {
			named[n].Name = []string{"nic0", "nic1"}[n]
		}
	}
	all := map[string][]string{
		"=netifrc":     {string(netconf.Netifrc(named))},
		"=ifupdown2":   {string(netconf.Ifupdown2(named, nil))},
		"=ifupdown-ng": {string(netconf.IfupdownNG{}.Render(named))},
		"=busybox":     {string(netconf.IfupdownNG{Busybox: true}.Render(named))},
		"=runit":       {string(netconf.Commands(named, true))},
		"=dhcpcd":      {string(netconf.Dhcpcd([]byte("duid\ninterface eth0\nstatic ip_address=192.0.2.1/24\n"), named, true))},
	}
	inet1, routes := netconf.RcInet1(named)
	all["=rc.inet1"] = []string{string(inet1)}
	all["=rc.local"] = []string{string(netconf.SetBlock([]byte("#!/bin/bash\ntrue\n"), routes))}
	names := slices.Collect(maps.Values(want))
	maps.DeleteFunc(all, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	return all
}

// links adds the symbolic links that are new, as "link".
func links(before, after, files map[string]string) map[string]string {
	for p, text := range after {
		if _, had := before[p]; !had && strings.HasPrefix(text, "L") {
			files[p[1:]] = "link"
		}
	}
	return files
}

// TestOthersYield keeps stacks that are started beside the configured one from the
// instance's interfaces.
func TestOthersYield(t *testing.T) {
	t.Parallel()
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: oneNIC, Subnet: "10.0.0.0/24"}}
	const unmanaged = noAuto + "\n[keyfile]\nunmanaged-devices=mac:aa:00:00:00:00:01\n"
	files := map[string]string{
		"usr/lib/systemd/systemd": "", "usr/sbin/ifup": "", "etc/network/interfaces": "auto eth0\n", wanted + ifupdownUnit: "-> x",
		"usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x", wanted + networkdUnit: "-> x",
	}
	for title, c := range map[string]struct {
		keyfiles bool
		want     map[string]string
	}{
		"ifupdown": {false, map[string]string{
			"etc/NetworkManager/conf.d/90-snf-image.conf": unmanaged, networkd + "00-snf-image-others.network": string(netconf.NetworkdOthers()),
		}},
		"NM_NETWORKING": {true, map[string]string{
			"etc/NetworkManager/conf.d/90-snf-image.conf": noAuto, networkd + "00-snf-image-others.network": string(netconf.NetworkdOthers()),
			"etc/network/interfaces": "# disabled by snf-image: auto eth0\n",
		}},
	} {
		g := newGuest(t, files)
		check(t, Configure(g.Guest, planned(t, nics, ""), c.keyfiles))
		for p, want := range c.want {
			if diff := cmp.Diff(want, g.Content(t, p)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", title, p, diff)
			}
		}
		if g.Root.Has("/"+keyfiles+"snf-image-nic0.nmconnection") != c.keyfiles {
			t.Errorf("%s: there is a keyfile: %t", title, !c.keyfiles)
		}
	}
	g := newGuest(t, with(files, map[string]string{networkd + "00-snf-image-others.network": "DIR"}))
	wants(t, Check(g.Guest, planned(t, nics, ""), false), "others.network")
	g = newGuest(t, map[string]string{"usr/sbin/ifup": "", "etc/network/interfaces": ""})
	check(t, Configure(g.Guest, planned(t, nics, ""), true))
	if len(*g.Warnings) != 1 || !strings.Contains((*g.Warnings)[0], "NM_NETWORKING is set") {
		t.Errorf("warnings without NetworkManager: %q", *g.Warnings)
	}
}

// TestNamesAreNotTied warns where nothing gives NIC n its name.
func TestNamesAreNotTied(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		files map[string]string
		nics  []spec.NIC
		warns int
	}{
		"kernel's name":     {nil, []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: oneNIC}}, 0},
		"two, no udev":      {nil, []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: oneNIC}, {MAC: "aa:00:00:00:00:02", IP: oneNIC}}, 2},
		"predictable names": {map[string]string{"usr/bin/udevadm": ""}, []spec.NIC{{IP: oneNIC}}, 1},
	} {
		g := newGuest(t, with(c.files, map[string]string{"usr/sbin/wicked": ""}))
		check(t, Configure(g.Guest, planned(t, c.nics, ""), false))
		if len(*g.Warnings) != c.warns {
			t.Errorf("%s: warnings %q, want %d", title, *g.Warnings, c.warns)
		}
	}
}
