package network

import (
	"fmt"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// networkdFiles begins the names of our files. Of all that match an interface networkd
// takes the first: the image's own names begin with 10 or more.
const networkdFiles = "/etc/systemd/network/00-snf-image-"

// runsNetworkd reports why systemd-networkd is started at boot.
func runsNetworkd(root *rootfs.Root) string { return startedBy(root, networkdService) }

// hasNetworkd knows a networkd that something else starts by its files.
func hasNetworkd(root *rootfs.Root) string {
	return because(first(root, "/etc/systemd/network/*.network"))
}

// checkNetworkd finds out what applyNetworkd would fail with.
func checkNetworkd(g system.Guest, interfaces []netconf.Interface) error {
	for p := range networkdContent(interfaces) {
		if err := replaceable(g, p); err != nil {
			return err
		}
	}
	return checkStatic(g, interfaces)
}

// applyNetworkd writes a file for each NIC and one that keeps other Ethernet interfaces
// from the files of the image.
func applyNetworkd(g system.Guest, interfaces []netconf.Interface) error {
	written := map[string]bool{}
	for p, data := range networkdContent(interfaces) {
		if err := write(g, p, data, 0o644); err != nil {
			return err
		}
		written[p] = true
	}
	if err := removeOwn(g, networkdFiles+"*.network", written, ""); err != nil {
		return err
	}
	if !started(g.Root, networkdService) {
		g.Warn("the image does not start systemd-networkd at boot, whose files it has")
	}
	return writeStatic(g, interfaces)
}

// networkdContent returns the files by their paths.
func networkdContent(interfaces []netconf.Interface) map[string][]byte {
	files := map[string][]byte{networkdFiles + "others.network": netconf.NetworkdOthers()}
	for _, i := range interfaces {
		files[fmt.Sprintf("%snic%d.network", networkdFiles, i.Index)] = netconf.Networkd(i, len(interfaces) == 1)
	}
	return files
}
