package network

import (
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	netifrcFile   = "/etc/conf.d/net"
	netifrcScript = "/etc/init.d/net.lo"
	netifrcLevel  = "/etc/runlevels/default/net."
)

// hasNetifrc knows Gentoo's netifrc by its script, unless something else is started.
func hasNetifrc(root *rootfs.Root) string {
	if !root.Exists(netifrcScript) || started(root, "dhcpcd") && !matches(root, netifrcLevel+"*") {
		return ""
	}
	return because(netifrcScript)
}

// applyNetifrc writes /etc/conf.d/net and has OpenRC start a service for each NIC. Those of
// other Ethernet interfaces are not started any more.
func applyNetifrc(g system.Guest, interfaces []netconf.Interface) error {
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	if err := write(g, netifrcFile, netconf.Netifrc(named), 0o644); err != nil {
		return err
	}
	old, err := g.Root.Glob("/etc/runlevels/*/net.*")
	if err != nil {
		return err
	}
	for _, link := range old {
		name := link[strings.LastIndex(link, "/net.")+len("/net."):]
		if !netconf.IsEthernet(name) && !strings.HasPrefix(name, "nic") {
			continue
		}
		if err := g.Root.Remove(link); err != nil {
			return err
		}
	}
	for _, i := range named {
		if !i.Configured() {
			continue
		}
		if err := startNetifrc(g, i.Name); err != nil {
			return err
		}
	}
	if hasResolvconf(g.Root) {
		return nil
	}
	return tellResolver(g, interfaces)
}

// startNetifrc does what "ln -s net.lo net.eth0" and "rc-update add net.eth0" do.
func startNetifrc(g system.Guest, name string) error {
	script := "/etc/init.d/net." + name
	if !g.Root.Has(script) {
		if err := g.Root.Symlink("net.lo", script); err != nil {
			return err
		}
	}
	if _, err := g.Root.MkdirAll("/etc/runlevels/default", rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	return g.Root.Symlink(script, netifrcLevel+name)
}

// assignment returns the value of a variable of a file that a shell reads.
func assignment(data []byte, name string) string { return etc.ParseAssignments(data)[name] }
