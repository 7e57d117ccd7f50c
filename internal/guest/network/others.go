package network

import (
	"slices"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// rival is a stack that may be started beside the one that is configured, and is then kept
// from the instance's interfaces.
type rival struct {
	name    string
	started func(root *rootfs.Root) bool
	file    string // that yield changes
	yield   func(g system.Guest, interfaces []netconf.Interface) error
}

func rivals() []rival {
	return []rival{
		{NetworkManager, serves(networkManagerService), noAutoFile, yieldNetworkManager},
		{Networkd, serves(networkdService), yieldFile, yieldNetworkd},
		{Ifupdown, serves(ifupdownService), interfacesFile, yieldIfupdown},
	}
}

func serves(service string) func(*rootfs.Root) bool {
	return func(root *rootfs.Root) bool { return started(root, service) }
}

// uses are the stacks that do the work of another one.
func uses(root *rootfs.Root, stack string) []string {
	switch stack {
	case Netplan:
		if netplanRenderer(root) == netconf.ByNetworkManager {
			return []string{stack, NetworkManager}
		}
		return []string{stack, Networkd}
	case Ifcfg:
		if started(root, networkManagerService) {
			return []string{stack, NetworkManager}
		}
	case Ifupdown2, IfupdownNG:
		return []string{stack, Ifupdown} // the same file
	}
	return []string{stack}
}

// startedBeside returns the stacks that are started beside the configured one.
func startedBeside(root *rootfs.Root, configured string) []rival {
	own := uses(root, configured)
	return slices.DeleteFunc(rivals(), func(r rival) bool {
		return slices.Contains(own, r.name) || !r.started(root)
	})
}

// checkOthers finds out, without writing, what keepOthers would fail with.
func checkOthers(g system.Guest, configured string) error {
	for _, r := range startedBeside(g.Root, configured) {
		if err := replaceable(g, r.file); err != nil {
			return err
		}
		if r.file != interfacesFile {
			continue
		}
		if err := checkIncluded(g); err != nil {
			return err
		}
	}
	return nil
}

// keepOthers keeps every stack but the configured one from the instance's interfaces.
func keepOthers(g system.Guest, interfaces []netconf.Interface, configured string) error {
	for _, r := range startedBeside(g.Root, configured) {
		g.Log.Info("kept from the instance's interfaces", "stack", r.name, "configured", configured)
		if err := r.yield(g, interfaces); err != nil {
			return err
		}
	}
	return nil
}

// yieldFile keeps networkd from Ethernet interfaces.
const yieldFile = networkdFiles + "others.network"

// yieldNetworkManager makes Ethernet interfaces those of another stack
// (NetworkManager.conf(5)).
func yieldNetworkManager(g system.Guest, interfaces []netconf.Interface) error {
	var devices []string
	for _, i := range interfaces {
		if i.MAC == "" {
			devices = []string{"type:ethernet"}
			break
		}
		devices = append(devices, "mac:"+i.MAC)
	}
	lines := noAuto + "\n[keyfile]\nunmanaged-devices=" + strings.Join(devices, ";") + "\n"
	return write(g, noAutoFile, []byte(lines), 0o644)
}

// yieldNetworkd makes Ethernet interfaces those of another stack.
func yieldNetworkd(g system.Guest, _ []netconf.Interface) error {
	if err := removeOwn(g, networkdFiles+"*.network", map[string]bool{yieldFile: true}, ""); err != nil {
		return err
	}
	return write(g, yieldFile, netconf.NetworkdOthers(), 0o644)
}

// yieldIfupdown takes Ethernet interfaces out of /etc/network/interfaces.
func yieldIfupdown(g system.Guest, _ []netconf.Interface) error { return disableStanzas(g) }
