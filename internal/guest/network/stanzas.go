package network

import (
	"path"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// startsIfupdown returns a function that reports why one of the programs that read
// /etc/network/interfaces brings the interfaces up, if it is the one that kind knows.
// Where systemd is the init and does not start it, something else does, if there is
// anything.
func startsIfupdown(kind func(*rootfs.Root) bool) func(*rootfs.Root) string {
	return func(root *rootfs.Root) string {
		if !installed(root, "ifup") || !root.IsDir(interfacesDir) || !kind(root) {
			return ""
		}
		if why := startedBy(root, ifupdownService); why != "" {
			return why
		}
		other := hasNetplan(root) != "" || started(root, networkdService) || started(root, networkManagerService)
		if bySystemd(root) && other {
			return ""
		}
		return because(program(root, "ifup"))
	}
}

// isIfupdown2 knows the ifupdown2 of Cumulus and Proxmox by its modules.
func isIfupdown2(root *rootfs.Root) bool { return root.IsDir("/usr/share/ifupdown2") }

// isIfupdownNG knows Alpine's ifupdown-ng by its executors, and the ifupdown of busybox
// by what its link leads to.
func isIfupdownNG(root *rootfs.Root) bool {
	return root.IsDir("/usr/libexec/ifupdown-ng") || byBusybox(root)
}

// byBusybox reports whether ifup is a link to busybox.
func byBusybox(root *rootfs.Root) bool {
	target, err := root.Readlink(program(root, "ifup"))
	return err == nil && path.Base(target) == "busybox"
}

func isIfupdown(root *rootfs.Root) bool { return !isIfupdown2(root) && !isIfupdownNG(root) }

func hasInterfacesFile(root *rootfs.Root) string {
	if root.Exists(interfacesFile) {
		return because(interfacesFile)
	}
	return ""
}

// checkStanzas finds out what applyStanzas would fail with.
func checkStanzas(g system.Guest, interfaces []netconf.Interface) error {
	if err := checkIncluded(g); err != nil {
		return err
	}
	return checkByName(interfacesFile)(g, interfaces)
}

// applyIfupdown2 writes /etc/network/interfaces in ifupdown2's words.
func applyIfupdown2(g system.Guest, interfaces []netconf.Interface) error {
	return applyStanzas(g, interfaces, netconf.Ifupdown2)
}

// applyIfupdownNG writes /etc/network/interfaces in the words of ifupdown-ng.
func applyIfupdownNG(g system.Guest, interfaces []netconf.Interface) error {
	client := dhcp6Client(g.Root)
	for _, i := range interfaces {
		if client == "" && (i.IPv6 == netconf.DHCP || i.IPv6 == netconf.SLAACDHCP) {
			g.Warn("the image has no DHCPv6 client that its ifupdown can start: NIC %d does not ask a DHCPv6 server", i.Index)
		}
	}
	var named []netconf.Interface
	format := netconf.IfupdownNG{Busybox: byBusybox(g.Root), DHCP6: client}
	format.Dhcpcd = !format.Busybox && installed(g.Root, "dhcpcd") // whose ifup calls udhcpc
	err := applyStanzas(g, interfaces, func(interfaces []netconf.Interface, sources []string) []byte {
		named, format.Sources = interfaces, sources
		return format.Render(interfaces)
	})
	if err != nil || !format.Dhcpcd {
		return err
	}
	return editWhole(g, dhcpcdConf, 0o644, func(old []byte) []byte { return netconf.Dhcpcd(old, named, false) })
}

// checkIfupdownNG finds out what applyIfupdownNG would fail with.
func checkIfupdownNG(g system.Guest, interfaces []netconf.Interface) error {
	if err := editable(g, dhcpcdConf); err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	return checkStanzas(g, interfaces)
}

// dhcp6Client returns the command of a DHCPv6 client of the image that goes on in the
// background.
func dhcp6Client(root *rootfs.Root) string {
	switch {
	case installed(root, "dhcpcd"):
		return "dhcpcd -b $IFACE"
	case installed(root, "udhcpc6"):
		return "udhcpc6 -b -R -i $IFACE"
	case installed(root, "dhclient"):
		return "dhclient -6 -nw $IFACE"
	}
	return ""
}

// applyStanzas gives the interfaces their names, takes the stanzas of other Ethernet
// interfaces out of the files that are included, and writes the main one.
func applyStanzas(g system.Guest, interfaces []netconf.Interface, render func([]netconf.Interface, []string) []byte) error {
	old, err := g.Root.ReadFile(interfacesFile, maxInterfaces)
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	if err := disableIncluded(g, old); err != nil {
		return err
	}
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	if err := tellResolver(g, interfaces); err != nil {
		return err
	}
	return write(g, interfacesFile, render(named, netconf.Sources(old)), 0o644)
}
