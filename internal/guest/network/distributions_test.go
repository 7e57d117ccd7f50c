package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/spec"
	"snf-image/tests/support"
	"snf-image/tests/systems"
)

// networkFacts are what the systems have of their network stacks as they are shipped, beside
// their trees, with the stack that is found and the files that are written. Sources: the file
// lists and presets of the packages systemd, NetworkManager, wicked, ifupdown, ifupdown-ng,
// netplan.io and netifrc of each distribution, and the scripts that make its images.
var networkFacts = map[string]struct {
	files  map[string]string
	stack  string
	column string
	wrote  []string
}{
	// debian-cloud-images: netplan.io without files, networkd and resolved enabled.
	"debian-12": {map[string]string{"usr/sbin/netplan": "", "etc/netplan": "DIR", wanted + networkdUnit: "-> x"}, Netplan, "netplan", []string{"etc/netplan/50-snf-image.yaml"}},
	"debian-13": {map[string]string{"usr/sbin/netplan": "", "etc/netplan": "DIR", wanted + networkdUnit: "-> x"}, Netplan, "netplan", []string{"etc/netplan/50-snf-image.yaml"}},
	// debian-cloud-images, bullseye: ifupdown with a file that cloud-init writes.
	"debian-11": {map[string]string{"usr/sbin/ifup": "", "etc/network/interfaces": "source-directory /etc/network/interfaces.d\n", "var/lib/dpkg/status": "Package: ifupdown\nStatus: install ok installed\nVersion: 0.8.36\n", wanted + ifupdownUnit: "-> x"}, Ifupdown, "ifupdown", []string{"etc/network/interfaces"}},
	// livecd-rootfs: netplan without files, networkd enabled.
	"ubuntu": {map[string]string{"usr/sbin/netplan": "", "etc/netplan": "DIR", wanted + networkdUnit: "-> x"}, Netplan, "netplan", []string{"etc/netplan/50-snf-image.yaml"}},
	// calamares-settings-ubuntu: netplan with 01-network-manager-all.yaml.
	"kubuntu": {map[string]string{
		"usr/sbin/netplan": "", "usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x",
		"etc/netplan/01-network-manager-all.yaml": "network:\n  version: 2\n  renderer: NetworkManager\n",
	}, Netplan, "netplan", []string{"etc/netplan/50-snf-image.yaml"}},
	"fedora":       {keyfileFacts(""), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"centos-9":     {keyfileFacts("1.46.0"), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"rhel-9":       {keyfileFacts("1.46.0"), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"rocky-9":      {keyfileFacts("1.46.0"), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"oracle-9":     {keyfileFacts("1.46.0"), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"rhel-10":      {keyfileFacts(""), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	"almalinux-10": {keyfileFacts(""), NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	// RHEL and its like before 9: the plug-in ifcfg-rh is in the main package and comes first.
	"el-8": {with(keyfileFacts("1.40.16"), map[string]string{"etc/os-release": "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"8.10\"\n"}), Ifcfg, "ifcfg", []string{scripts + "ifcfg-eth0"}},
	"el-7": {with(keyfileFacts("1.18.8-2.el7_9"), map[string]string{"etc/os-release": "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n"}), Ifcfg, "ifcfg", []string{scripts + "ifcfg-eth0"}},
	"el-6": {map[string]string{"etc/redhat-release": "CentOS release 6.10 (Final)\n", scripts + "ifcfg-eth0": "DEVICE=eth0\n", "etc/rc.d/rc3.d/S10network": "-> ../init.d/network", "sbin/udevd": ""}, Ifcfg, "ifcfg", []string{scripts + "ifcfg-eth0", rulesFile}},
	// amazon-ec2-net-utils: networkd.
	"amazon-2023": {map[string]string{wanted + networkdUnit: "-> x", wanted + resolvedUnit: "-> x", "usr/lib/systemd/network/80-ec2.network": "[Match]\nDriver=ena\n"}, Networkd, "networkd", []string{networkd + "00-snf-image-nic0.network"}},
	"leap-15":     {wickedFacts(), Wicked, "wicked", []string{"etc/sysconfig/network/ifcfg-eth0"}},
	"sles-15":     {wickedFacts(), Wicked, "wicked", []string{"etc/sysconfig/network/ifcfg-eth0"}},
	"leap-16":     {map[string]string{"usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x", "etc/sysconfig/network/config": ""}, NetworkManager, "networkmanager", []string{keyfiles + "snf-image-nic0.nmconnection"}},
	// arch-boxes: networkd and resolved enabled.
	"arch": {map[string]string{wanted + networkdUnit: "-> x", wanted + resolvedUnit: "-> x"}, Networkd, "networkd", []string{networkd + "00-snf-image-nic0.network"}},
	// alpine-cloud-images: ifupdown-ng, networking in the runlevel boot, mdev's nameif.
	"alpine": {map[string]string{
		"sbin/ifup": "-> ifupdown", "sbin/ifupdown": "", "usr/libexec/ifupdown-ng/link": "", "etc/network/interfaces": "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n",
		"etc/runlevels/boot/networking": "-> /etc/init.d/networking", "etc/mdev.conf": "-SUBSYSTEM=net;DEVPATH=.*/net/.*;.*\troot:root 600 @/sbin/nameif -s\n",
	}, IfupdownNG, "ifupdown-ng", []string{"etc/network/interfaces"}},
	"gentoo":    {map[string]string{"etc/init.d/net.lo": "", "etc/conf.d/net": "", "etc/runlevels/default/net.eth0": "-> /etc/init.d/net.eth0", "bin/udevadm": ""}, Netifrc, "netifrc", []string{"etc/conf.d/net", rulesFile}},
	"void":      {nil, Runit, "runit", []string{runitCommands[1:], rulesFile}},
	"slackware": {map[string]string{"usr/sbin/NetworkManager": "", slackwareScript[1:]: "#!/bin/sh\n"}, RcInet1, "rcinet1", []string{"etc/rc.d/rc.inet1.conf", rulesFile}}, // installed in full
	// pve-manager: ifupdown2 with /etc/network/interfaces.
	"proxmox":     {map[string]string{"usr/sbin/ifup": "", "usr/share/ifupdown2/addons/address.py": "", "etc/network/interfaces": "auto lo\n", wanted + ifupdownUnit: "-> x", "usr/bin/udevadm": ""}, Ifupdown2, "ifupdown2", []string{"etc/network/interfaces", rulesFile}},
	"arch-netctl": {map[string]string{"usr/bin/netctl": "", "usr/lib/systemd/system/netctl@.service": "", "usr/bin/udevadm": ""}, Netctl, "netctl", []string{"etc/netctl/snf-image-nic0", rulesFile}},
}

// keyfileFacts are those of a system with NetworkManager, which has the plug-in ifcfg-rh when
// it has a version here.
func keyfileFacts(plugin string) map[string]string {
	files := map[string]string{"usr/sbin/NetworkManager": "", wanted + networkManagerUnit: "-> x"}
	if plugin != "" {
		files[scripts+"readme-ifcfg-rh.txt"] = "x\n"
		files["usr/lib64/NetworkManager/"+plugin+"/"+ifcfgPlugin] = ""
	}
	return files
}

func wickedFacts() map[string]string {
	return map[string]string{
		"usr/sbin/wicked": "", "etc/systemd/system/network.service": "-> /usr/lib/systemd/system/wicked.service", wanted + "wicked.service": "-> x",
		"etc/sysconfig/network/config": "NETCONFIG_DNS_STATIC_SERVERS=\"\"\n", "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
		"etc/default/grub": "GRUB_CMDLINE_LINUX=\"net.ifnames=0\"\n", "usr/bin/udevadm": "",
	}
}

// TestNetworkOfSystems finds the stack of each system, and configures a NIC.
func TestNetworkOfSystems(t *testing.T) {
	t.Parallel()
	shown := support.Collect(t)
	nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24", Gateway: "10.0.0.1"}}
	trees := map[string]systems.System{}
	for _, s := range systems.All(t) {
		trees[s.ID] = s
	}
	for id, c := range networkFacts {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, nil)
			s := trees[id] // of the others there is no tree
			g.Tree = s.Make(t, c.files)
			g.Root = open(t, g.Tree)
			interfaces := planned(t, nics, "")
			if got, why := Detect(g.Root); got != c.stack || why == "" {
				t.Fatalf("Detect = %q, %q, want %q", got, why, c.stack)
			}
			check(t, Check(g.Guest, interfaces, false))
			check(t, Configure(g.Guest, interfaces, false))
			for _, p := range c.wrote {
				if text := g.Content(t, p); !strings.Contains(strings.ToLower(text), "aa:00:00:00:00:01") && !strings.Contains(text, "10.0.0.2") {
					t.Errorf("%s does not tell of the NIC:\n%s", p, text)
				}
			}
			if len(*g.Warnings) > 0 {
				t.Errorf("warnings %q", *g.Warnings)
			}
			shown.Show(id, c.column, support.Transcribed)
		})
	}
}

// TestUnknownNetwork leaves what is not known as it is, with a warning.
func TestUnknownNetwork(t *testing.T) {
	t.Parallel()
	for id, files := range map[string]map[string]string{
		"void":      {"etc/runit/runsvdir/default/connmand": "-> /etc/sv/connmand"},
		"slackware": {"etc/rc.d/rc.inet1": "#!/bin/bash\n# IPADDR and NETMASK, as before 15.0\n"},
	} {
		g := newGuest(t, nil)
		g.Tree = systems.Find(t, id).Make(t, files)
		g.Root = open(t, g.Tree)
		nics := []spec.NIC{{MAC: "aa:00:00:00:00:01", IP: "10.0.0.2", Subnet: "10.0.0.0/24"}}
		check(t, Configure(g.Guest, planned(t, nics, ""), false))
		if len(*g.Warnings) != 1 || !strings.Contains((*g.Warnings)[0], "is unknown") {
			t.Errorf("%s: warnings %q", id, *g.Warnings)
		}
	}
}

// TestSlackwareNetworkManager is a Slackware whose administrator chose NetworkManager.
func TestSlackwareNetworkManager(t *testing.T) {
	t.Parallel()
	g := newGuest(t, map[string]string{"usr/sbin/NetworkManager": "", slackwareScript[1:]: "#!/bin/sh\n"})
	check(t, os.Chmod(filepath.Join(g.Dir, slackwareScript), 0o755))
	if got, why := Detect(g.Root); got != NetworkManager || why != "rc.networkmanager is executable" {
		t.Errorf("Detect = %q, %q", got, why)
	}
}
