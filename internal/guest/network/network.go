// Package network configures the network of a guest in the system that its image
// uses for that: one row of a table and one file for each. What is written comes from
// the renderers of package netconf.
//
// It touches nothing but the files of the stack, of others that would take its
// interfaces, and those that name interfaces. What it replaces it keeps beside, under a
// name that is not read. It is large because each of the systems that Linux has for this
// has its own files and its own way to be started.
package network

import (
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// The network configuration systems that are told apart.
const (
	Ifupdown       = "ifupdown"
	Ifupdown2      = "ifupdown2"
	IfupdownNG     = "ifupdown-ng"
	Netplan        = "netplan"
	NetworkManager = "NetworkManager"
	Networkd       = "systemd-networkd"
	Ifcfg          = "ifcfg"
	Wicked         = "wicked"
	Netctl         = "netctl"
	Netifrc        = "netifrc"
	Runit          = "runit and dhcpcd"
	RcInet1        = "rc.inet1"
)

// stack is a network configuration system.
type stack struct {
	name string
	// detect returns why this is the system that the image uses, "" when it is not.
	detect func(root *rootfs.Root) string
	// check finds out, without writing, what apply would fail with.
	check func(g system.Guest, interfaces []netconf.Interface) error
	apply func(g system.Guest, interfaces []netconf.Interface) error
}

// stacks returns the stacks in the order of preference: where several are installed
// the one that distributions prefer wins. ifupdown comes first because whoever uses
// another one on Debian removes it, or does not start it. The last ones are what remains
// where nothing is known to be started at boot.
func stacks() []stack {
	return []stack{
		{Ifupdown2, startsIfupdown(isIfupdown2), checkStanzas, applyIfupdown2},
		{IfupdownNG, startsIfupdown(isIfupdownNG), checkIfupdownNG, applyIfupdownNG},
		{Ifupdown, startsIfupdown(isIfupdown), checkIfupdown, applyIfupdown},
		{Netplan, hasNetplan, checkNetplan, applyNetplan},
		{Wicked, runsWicked, checkWicked, applyWicked},
		{Netctl, runsNetctl, checkNetctl, applyNetctl},
		{Ifcfg, readsIfcfg, checkIfcfg, applyIfcfg},
		{NetworkManager, runsNetworkManager, checkNetworkManager, applyNetworkManager},
		{Networkd, runsNetworkd, checkNetworkd, applyNetworkd},
		{Netifrc, hasNetifrc, checkByName(netifrcFile), applyNetifrc},
		{Runit, runsRunit, checkRunit, applyRunit},
		{RcInet1, runsRcInet1, checkRcInet1, applyRcInet1},
		{Wicked, hasSysconfig, checkWicked, applyWicked},
		{Ifcfg, hasIfcfg, checkIfcfg, applyIfcfg},
		{Ifupdown, hasInterfacesFile, checkIfupdown, applyIfupdown},
		{Netctl, hasNetctl, checkNetctl, applyNetctl},
		{Networkd, hasNetworkd, checkNetworkd, applyNetworkd},
	}
}

// find returns the stack that configures the image's interfaces at boot, and why it is
// that one.
func find(root *rootfs.Root) (s stack, why string, ok bool) {
	for _, s := range stacks() {
		if why := s.detect(root); why != "" {
			return s, why, true
		}
	}
	return stack{}, "", false
}

// Detect returns the name of the system that configures the image's network
// interfaces at boot, empty when it is not one of those above, and what shows that it
// does.
func Detect(root *rootfs.Root) (name, why string) {
	s, why, _ := find(root)
	return s.name, why
}

// chosen returns the stack that is to be configured: NetworkManager, if it is wanted
// whatever the image uses.
func chosen(root *rootfs.Root, keyfiles bool) (stack, bool) {
	if !keyfiles {
		s, _, ok := find(root)
		return s, ok
	}
	return stack{name: NetworkManager, check: checkNetworkManager, apply: applyNetworkManager}, true
}

// searched are the patterns of files that are set aside, by one stack or another: there must
// not be too many.
func searched() []string {
	return []string{
		profiles + "*", ifcfgFiles, netplanDir + "/*.yaml", "/usr/lib/netplan/*.yaml", "/lib/netplan/*.yaml",
		networkdFiles + "*.network", sysconfigDir + "if*", scriptsDir + "*", netctlFiles + "*", unitDir + "*.wants/netctl*@*" + unitEnd,
		"/etc/runlevels/*/net.*", runitDefault + "dhcpcd-*",
	}
}

// Check finds out, without writing, what Configure would fail with.
func Check(g system.Guest, interfaces []netconf.Interface, keyfiles bool) error {
	s, ok := chosen(g.Root, keyfiles)
	if !ok {
		return nil // Configure warns
	}
	for _, p := range persistentNames {
		if err := editable(g, p); err != nil {
			return err
		}
	}
	for _, pattern := range searched() {
		if _, err := g.Root.Glob(pattern); err != nil {
			return err
		}
	}
	if err := checkOthers(g, s.name); err != nil {
		return err
	}
	return s.check(g, interfaces)
}

// Configure configures the interfaces in the network configuration system of the
// image, or in NetworkManager's keyfiles. It warns where the system is unknown.
func Configure(g system.Guest, interfaces []netconf.Interface, keyfiles bool) error {
	s, ok := chosen(g.Root, keyfiles)
	if !ok {
		g.Warn("the image's network configuration system is unknown: its network was left as it is")
		return nil
	}
	if keyfiles && !installed(g.Root, "NetworkManager") {
		g.Warn("NM_NETWORKING is set, but the image has no NetworkManager that reads the keyfiles")
	}
	if err := freeNames(g, interfaces); err != nil {
		return err
	}
	if err := keepOthers(g, interfaces, s.name); err != nil {
		return err
	}
	return s.apply(g, interfaces)
}
