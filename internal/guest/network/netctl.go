package network

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	netctlDir = "/etc/netctl/"
	// netctlFiles begins the names of our profiles.
	netctlFiles = netctlDir + "snf-image-"
	unitDir     = "/etc/systemd/system/"
	// netctlWants are the links by which systemd starts a profile at boot.
	netctlWants = unitDir + "multi-user.target.wants/netctl@"
	unitEnd     = ".service"
)

// runsNetctl reports why netctl is what brings interfaces up.
func runsNetctl(root *rootfs.Root) string {
	if !installed(root, "netctl") {
		return ""
	}
	for _, unit := range []string{"netctl@*", "netctl-ifplugd@*", "netctl"} {
		if p := first(root, unitDir+"*.wants/"+unit+unitEnd); p != "" {
			return path.Base(p) + " is enabled"
		}
	}
	return ""
}

// hasNetctl knows a netctl that nothing starts yet.
func hasNetctl(root *rootfs.Root) string { return because(program(root, "netctl")) }

// checkNetctl finds out what applyNetctl would fail with.
func checkNetctl(g system.Guest, interfaces []netconf.Interface) error {
	for _, i := range interfaces {
		if err := replaceable(g, netctlProfile(i)); err != nil {
			return err
		}
	}
	return checkNames(g, interfaces)
}

func netctlProfile(i netconf.Interface) string { return netctlFiles + netctlName(i) }

// netctlName is the part of a profile's name, and of its unit's, that tells of the NIC.
func netctlName(i netconf.Interface) string { return fmt.Sprintf("nic%d", i.Index) }

// applyNetctl writes a profile for each NIC and has systemd start it. Other profiles of
// Ethernet interfaces are not started any more.
func applyNetctl(g system.Guest, interfaces []netconf.Interface) error {
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	if err := disableProfiles(g); err != nil {
		return err
	}
	byNetctl := hasResolvconf(g.Root)
	written := map[string]bool{}
	for _, i := range named {
		if !i.Configured() {
			continue
		}
		if !byNetctl {
			i.DNS, i.Search = nil, nil // a profile that has them fails without resolvconf
		}
		p := netctlProfile(i)
		if err := writeWith(g, p, netconf.Netctl(i), 0o600, backupEnd); err != nil {
			return err
		}
		written[p] = true
		if err := startProfile(g, i); err != nil {
			return err
		}
	}
	if err := removeOwn(g, netctlFiles+"*", written, backupEnd); err != nil || byNetctl {
		return err
	}
	return tellResolver(g, interfaces)
}

// startProfile does what "netctl enable" does: the profile is started when its interface
// is there.
func startProfile(g system.Guest, i netconf.Interface) error {
	unit := "netctl@snf\\x2dimage\\x2d" + netctlName(i) + unitEnd
	if _, err := g.Root.MkdirAll(unitDir+"multi-user.target.wants", rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	vendor := "/usr/lib/systemd/system/netctl@.service"
	if !g.Root.Exists(vendor) {
		vendor = "/lib/systemd/system/netctl@.service"
	}
	if err := g.Root.Symlink(vendor, unitDir+"multi-user.target.wants/"+unit); err != nil {
		return err
	}
	device := "sys-subsystem-net-devices-" + i.Name + ".device"
	return write(g, unitDir+unit+".d/profile.conf", []byte(netconf.Header+"[Unit]\nBindsTo="+device+"\nAfter="+device+"\n"), 0o644)
}

// disableProfiles takes away the links that start profiles of Ethernet interfaces, ours of
// an earlier run included, and sets aside the profiles of the image.
func disableProfiles(g system.Guest) error {
	links, err := g.Root.Glob(unitDir + "*.wants/netctl*@*" + unitEnd)
	if err != nil {
		return err
	}
	for _, link := range links {
		_, name, _ := strings.Cut(strings.TrimSuffix(path.Base(link), unitEnd), "@")
		name = strings.ReplaceAll(name, `\x2d`, "-")
		profile := netctlDir + name
		if !netconf.IsEthernet(name) && !isEthernetNetctl(g.Root, profile) {
			continue
		}
		g.Log.Info("a profile of netctl is not started any more", "link", link)
		if err := g.Root.Remove(link); err != nil {
			return err
		}
		if g.Root.IsRegular(profile) && !isOurs(g.Root, profile) {
			if err := setAside(g, profile, backupEnd); err != nil {
				return err
			}
		}
	}
	return nil
}

// isEthernetNetctl reports whether a profile is for an Ethernet interface by itself.
func isEthernetNetctl(root *rootfs.Root, p string) bool {
	data, err := root.ReadFile(p, maxProfile)
	return err == nil && assignment(data, "Connection") == "ethernet"
}
