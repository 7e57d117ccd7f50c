package network

import (
	"bytes"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	rcInet1       = "/etc/rc.d/rc.inet1"
	rcInet1Conf   = rcInet1 + ".conf"
	rcLocal       = "/etc/rc.d/rc.local"
	maxRcInet1    = 1 << 20
	rcLocalScript = "#!/bin/bash\n"
)

// runsRcInet1 knows Slackware by the script that configures its network, in a version that
// takes addresses as prefixes, and for IPv6.
func runsRcInet1(root *rootfs.Root) string {
	if !executable(root, rcInet1) {
		return ""
	}
	script, err := root.ReadFile(rcInet1, maxRcInet1)
	if err != nil || !bytes.Contains(script, []byte("IP6ADDRS")) {
		return ""
	}
	return strings.TrimPrefix(rcInet1, "/etc/rc.d/") + " is executable"
}

// checkRcInet1 finds out what applyRcInet1 would fail with.
func checkRcInet1(g system.Guest, interfaces []netconf.Interface) error {
	if err := g.Root.Editable(rcLocal); err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	return checkByName(rcInet1Conf)(g, interfaces)
}

// applyRcInet1 writes /etc/rc.d/rc.inet1.conf, and into rc.local what that has no words for.
func applyRcInet1(g system.Guest, interfaces []netconf.Interface) error {
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	config, commands := netconf.RcInet1(named)
	if err := write(g, rcInet1Conf, config, 0o644); err != nil {
		return err
	}
	if err := setRcLocal(g, commands); err != nil {
		return err
	}
	return tellResolver(g, interfaces)
}

// setRcLocal gives rc.local the commands, or takes away those of an earlier run.
func setRcLocal(g system.Guest, commands []string) error {
	exists := g.Root.Has(rcLocal)
	if !exists && len(commands) == 0 {
		return nil
	}
	if exists && len(commands) > 0 && !executable(g.Root, rcLocal) {
		g.Warn("%s is not executable, so that these routes are not set at boot: %s", rcLocal, strings.Join(commands, "; "))
	}
	return editWhole(g, rcLocal, 0o755, func(old []byte) []byte {
		if !exists {
			old = []byte(rcLocalScript)
		}
		return netconf.SetBlock(old, commands)
	})
}
