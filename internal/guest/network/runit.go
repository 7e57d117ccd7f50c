package network

import (
	"bytes"
	"path"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	// runitCommands is read by Void's /etc/runit/1, with the other files there in the order of
	// their names: udev has named the interfaces then, and no service is started yet.
	runitServices = "/etc/runit/core-services"
	runitCommands = runitServices + "/95-snf-image-network.sh"
	runitDefault  = "/etc/runit/runsvdir/default/"
	runitRcLocal  = "/etc/rc.local"
	dhcpcdConf    = "/etc/dhcpcd.conf"
	dhcpcdService = "/etc/sv/dhcpcd"
	maxRcLocal    = 1 << 20
)

// runsRunit knows Void by what its init reads. It has no network system of its own: what is
// static is done by commands, as its handbook has it, and DHCP by dhcpcd.
func runsRunit(root *rootfs.Root) string {
	if !root.IsDir(runitServices) || started(root, "connmand") {
		return ""
	}
	return because(runitServices)
}

// checkRunit finds out what applyRunit would fail with.
func checkRunit(g system.Guest, interfaces []netconf.Interface) error {
	if err := g.Root.Replaceable(runitCommands); err != nil {
		return err
	}
	if err := editable(g, dhcpcdConf); err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	return checkNames(g, interfaces)
}

// applyRunit writes the commands, and dhcpcd's file.
func applyRunit(g system.Guest, interfaces []netconf.Interface) error {
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	hasDhcpcd := g.Root.Has(dhcpcdService)
	if err := write(g, runitCommands, netconf.Commands(named, hasDhcpcd), 0o644); err != nil {
		return err
	}
	if hasDhcpcd {
		err = applyDhcpcd(g, named)
	}
	if err != nil {
		return err
	}
	for _, i := range named {
		if !hasDhcpcd && (i.IPv4 == netconf.DHCP || i.IPv6 == netconf.DHCP || i.IPv6 == netconf.SLAACDHCP) {
			g.Warn("the image has no dhcpcd: NIC %d does not ask a DHCP server", i.Index)
		}
	}
	if local, err := g.Root.ReadFile(runitRcLocal, maxRcLocal); err == nil && configures(local) {
		g.Warn("%s of the image calls ip: what it does there comes after the network of the instance", runitRcLocal)
	}
	return tellResolver(g, interfaces)
}

// configures reports whether a script calls ip.
func configures(script []byte) bool {
	for line := range bytes.Lines(script) {
		if words := bytes.Fields(line); len(words) > 0 && path.Base(string(words[0])) == "ip" {
			return true
		}
	}
	return false
}

// applyDhcpcd writes dhcpcd.conf, has runit start dhcpcd if it is needed, and does not have it
// start those of single Ethernet interfaces.
func applyDhcpcd(g system.Guest, named []netconf.Interface) error {
	err := editWhole(g, dhcpcdConf, 0o644, func(old []byte) []byte { return netconf.Dhcpcd(old, named, true) })
	if err != nil {
		return err
	}
	single, err := g.Root.Glob(runitDefault + "dhcpcd-*")
	if err != nil {
		return err
	}
	for _, link := range single {
		g.Log.Info("no longer started, since dhcpcd serves all interfaces", "service", path.Base(link))
		if err := g.Root.Remove(link); err != nil {
			return err
		}
	}
	for _, i := range named {
		if i.Dynamic() && !g.Root.Has(runitDefault+"dhcpcd") {
			return g.Root.Symlink(dhcpcdService, runitDefault+"dhcpcd")
		}
	}
	return nil
}
