// Package network configures the network of a guest in the system that its image
// uses for that: one row of a table and one file for each. What is written comes from
// the renderers of package netconf.
//
// It touches nothing but the files of the stack, and of others that would take its
// interfaces. What it replaces it keeps beside, under a name that is not read.
package network

import (
	"fmt"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// The network configuration systems that are told apart.
const (
	Ifupdown       = "ifupdown"
	Netplan        = "netplan"
	NetworkManager = "NetworkManager"
	Networkd       = "systemd-networkd"
	Ifcfg          = "ifcfg"
	Wicked         = "wicked"
)

// stack is a network configuration system.
type stack struct {
	name   string
	detect func(root *rootfs.Root) bool
	// check finds out, without writing, what apply would fail with.
	check func(g system.Guest, interfaces []netconf.Interface) error
	// apply is nil for a stack that is not in this version.
	apply func(g system.Guest, interfaces []netconf.Interface) error
}

// stacks returns the stacks in the order of preference: where several are installed
// the one that distributions prefer wins. ifupdown comes first because whoever uses
// another one on Debian removes it, or does not start it.
func stacks() []stack {
	return []stack{
		{Ifupdown, hasIfupdown, checkIfupdown, applyIfupdown},
		{Netplan, hasNetplan, checkNetplan, applyNetplan},
		{Wicked, hasWicked, nil, nil},
		{NetworkManager, runsNetworkManager, checkNetworkManager, applyNetworkManager},
		{Networkd, runsNetworkd, checkNetworkd, applyNetworkd},
		{Ifcfg, hasIfcfg, nil, nil},
		{Ifupdown, hasInterfacesFile, checkIfupdown, applyIfupdown},
		{Networkd, hasNetworkd, checkNetworkd, applyNetworkd},
	}
}

// find returns the stack that configures the image's interfaces at boot.
func find(root *rootfs.Root) (stack, bool) {
	for _, s := range stacks() {
		if s.detect(root) {
			return s, true
		}
	}
	return stack{}, false
}

// Detect returns the name of the system that configures the image's network
// interfaces at boot, empty when it is not one of those above.
func Detect(root *rootfs.Root) string {
	s, _ := find(root)
	return s.name
}

// Check finds out, without writing, what Configure would fail with.
func Check(g system.Guest, interfaces []netconf.Interface) error {
	switch s, ok := find(g.Root); {
	case !ok:
		return nil // Configure warns
	case s.apply == nil:
		return unsupported(s)
	default:
		return s.check(g, interfaces)
	}
}

// Configure configures the interfaces in the network configuration system of the
// image. It warns where that is unknown.
func Configure(g system.Guest, interfaces []netconf.Interface) error {
	switch s, ok := find(g.Root); {
	case !ok:
		g.Warn("the image's network configuration system is unknown or not in this version: its network was left as it is")
		return nil
	case s.apply == nil:
		return unsupported(s)
	default:
		return s.apply(g, interfaces)
	}
}

// unsupported is the failure of an image whose network another system configures.
func unsupported(s stack) error {
	return &outcome.Remedied{
		Err:    fmt.Errorf("configuring a network by %s is not in this version", s.name),
		Remedy: "set the property EXCLUDE_TASK_CONFIGURENETWORK=yes and let the image configure itself",
	}
}
