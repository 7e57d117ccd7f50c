package network

import (
	"slices"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// Files of ifupdown.
const (
	interfacesDir  = "/etc/network"
	interfacesFile = interfacesDir + "/interfaces"
)

// checkIfupdown finds out what applyIfupdown would fail with.
func checkIfupdown(g system.Guest, interfaces []netconf.Interface) error {
	if err := editable(g, interfacesFile); err != nil {
		return err
	}
	if err := checkIncluded(g); err != nil {
		return err
	}
	if byDhcpcd(g.Root) {
		if err := editable(g, dhcpcdConf); err != nil && !rootfs.IsNotExist(err) {
			return err
		}
	}
	if needsResolver(g.Root, interfaces) {
		return g.Root.Replaceable(resolvConf)
	}
	return nil
}

// applyIfupdown writes /etc/network/interfaces and takes the stanzas of
// other Ethernet interfaces out of the files it includes.
func applyIfupdown(g system.Guest, interfaces []netconf.Interface) error {
	old, err := g.Root.ReadFile(interfacesFile, maxInterfaces)
	exists := err == nil
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	format := netconf.Ifupdown{
		Version:     packageVersion(g.Root, "ifupdown"),
		KernelNames: len(interfaces) > 1 && kernelNames(g.Root),
		Sources:     netconf.Sources(old),
		Dhcpcd:      byDhcpcd(g.Root),
	}
	warnAboutIfupdown(g, format, interfaces)
	if err := disableIncluded(g, old); err != nil {
		return err
	}
	if !format.MatchesByMAC() && namesByMAC(g.Root) {
		if interfaces, err = assignNames(g, interfaces); err != nil {
			return err
		}
	}
	if err := writeResolver(g, interfaces); err != nil {
		return err
	}
	if err := awaitDevices(g, format.ByPattern(interfaces)); err != nil {
		return err
	}
	if err := tellDhcpcd(g, format, interfaces); err != nil {
		return err
	}
	data := format.Render(withoutServers(g.Root, interfaces))
	if !exists {
		if _, err := g.Root.MkdirAll(interfacesDir, rootfs.Attr{Mode: 0o755}); err != nil {
			return err
		}
		return g.Root.WriteFile(interfacesFile, data, rootfs.Attr{Mode: 0o644})
	}
	if err := keep(g, interfacesFile, old, data, netconf.Header, ""); err != nil {
		return err
	}
	return g.Root.Edit(interfacesFile, func([]byte) ([]byte, error) { return data, nil })
}

// byDhcpcd reports whether the image's ifupdown starts dhcpcd for DHCP: it is the last of the
// clients that it knows.
func byDhcpcd(root *rootfs.Root) bool {
	return installed(root, "dhcpcd") && !installed(root, "dhclient", "pump", "udhcpc")
}

// tellDhcpcd writes dhcpcd.conf where ifupdown starts dhcpcd for one of the interfaces.
func tellDhcpcd(g system.Guest, format netconf.Ifupdown, interfaces []netconf.Interface) error {
	if !format.Dhcpcd || !slices.ContainsFunc(interfaces, netconf.Interface.Dynamic) {
		return nil
	}
	return editWhole(g, dhcpcdConf, 0o644, func(old []byte) []byte { return netconf.Dhcpcd(old, format.Named(interfaces), false) })
}

// warnAboutIfupdown tells what the image lacks for its network to come up.
func warnAboutIfupdown(g system.Guest, format netconf.Ifupdown, interfaces []netconf.Interface) {
	dhcp, dhcp6, configured := false, false, false
	for _, i := range interfaces {
		dhcp = dhcp || i.IPv4 == netconf.DHCP
		dhcp6 = dhcp6 || i.IPv6 == netconf.DHCP || i.IPv6 == netconf.SLAACDHCP
		configured = configured || i.IPv4 != netconf.None || i.IPv6 != netconf.None
	}
	if configured && !format.MatchesByMAC() && !namesByMAC(g.Root) {
		g.Warn("the image's ifupdown cannot match interfaces by MAC address: NIC n was configured as ethN")
	}
	if configured && format.AvoidsKernelNames(interfaces) {
		g.Warn("the image keeps the kernel's names of interfaces, whose order may differ: NIC n was named nicN by its MAC address")
	}
	if dhcp && !installed(g.Root, "dhclient", "udhcpc", "dhcpcd") || dhcp6 && !installed(g.Root, "dhclient", "dhcpcd") {
		g.Warn("the image has no DHCP client that its ifupdown knows")
	}
}
