package network

import (
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	resolvConf     = "/etc/resolv.conf"
	resolverHeader = "# This file was written by snf-image.\n"
	maxResolver    = 64 << 10
	// maxServers is how many name servers the resolver asks (resolv.conf(5), MAXNS).
	maxServers = 3
)

// writeResolver tells the resolver of name servers and search domains where
// nothing in the image takes them from ifupdown.
func writeResolver(g system.Guest, interfaces []netconf.Interface) error {
	if readsStanzas(g.Root) {
		return nil
	}
	return tellResolver(g, interfaces)
}

// writeStatic is writeResolver for networkd, which tells systemd-resolved alone.
func writeStatic(g system.Guest, interfaces []netconf.Interface) error {
	if enabled(g.Root, resolvedUnit) {
		return nil
	}
	return tellResolver(g, interfaces)
}

// checkStatic finds out, without writing, what writeStatic would fail with.
func checkStatic(g system.Guest, interfaces []netconf.Interface) error {
	if hasServers(interfaces) && !enabled(g.Root, resolvedUnit) {
		return g.Root.Replaceable(resolvConf)
	}
	return nil
}

// tellResolver writes /etc/resolv.conf. Without servers and domains the image's own
// stays.
func tellResolver(g system.Guest, interfaces []netconf.Interface) error {
	if !hasServers(interfaces) {
		return nil
	}
	dns, search := netconf.Resolver(interfaces)
	if len(dns) > maxServers {
		g.Warn("the resolver asks only the first %d of %d name servers", maxServers, len(dns))
	}
	data := resolverFile(dns, search)
	st, err := g.Root.Lstat(resolvConf)
	switch {
	case err == nil && st.Mode().Type() == fs.ModeSymlink:
		if err := keepLink(g, resolvConf); err != nil {
			return err
		}
		fallthrough
	case err != nil || !st.Mode().IsRegular():
		return g.Root.WriteFile(resolvConf, data, rootfs.Attr{Mode: 0o644})
	}
	old, err := g.Root.ReadFile(resolvConf, maxResolver)
	if err != nil {
		return err
	}
	if err := keep(g, resolvConf, old, data, resolverHeader, ""); err != nil {
		return err
	}
	return g.Root.Edit(resolvConf, func([]byte) ([]byte, error) { return data, nil })
}

// needsResolver reports whether /etc/resolv.conf is to be written beside ifupdown's files.
func needsResolver(root *rootfs.Root, interfaces []netconf.Interface) bool {
	return hasServers(interfaces) && !readsStanzas(root)
}

// hasServers reports whether an interface has name servers or search domains.
func hasServers(interfaces []netconf.Interface) bool {
	dns, search := netconf.Resolver(interfaces)
	return len(dns)+len(search) > 0
}

// resolverFile returns the content of a resolv.conf(5).
func resolverFile(dns []netip.Addr, search []string) []byte {
	var b strings.Builder
	b.WriteString(resolverHeader)
	for _, server := range dns {
		b.WriteString("nameserver " + server.String() + "\n")
	}
	if len(search) > 0 {
		b.WriteString("search " + strings.Join(search, " ") + "\n")
	}
	return []byte(b.String())
}

// readsStanzas reports whether the image has a program that takes the options
// dns-nameservers and dns-search of /etc/network/interfaces: resolvconf, or the
// script by which ifupdown tells systemd-resolved, if that is enabled.
func readsStanzas(root *rootfs.Root) bool {
	if installed(root, "resolvconf") {
		return true
	}
	enabled, err := root.Glob("/etc/systemd/system/*.wants/systemd-resolved.service")
	return err == nil && len(enabled) > 0 && root.Exists("/etc/network/if-up.d/resolved")
}

// waitForUdev lets ifupdown wait at boot until udev has found the interfaces.
const (
	waitForUdev = "/etc/systemd/system/networking.service.d/50-snf-image.conf"
	waitContent = "# This file was written by snf-image.\n" +
		"# /etc/network/interfaces has a pattern, which matches what is there at that moment.\n" +
		"[Unit]\nWants=systemd-udev-settle.service\nAfter=systemd-udev-settle.service\n"
)

// awaitDevices writes waitForUdev where it is needed and systemd runs ifupdown,
// and takes away the one of an earlier run. Other inits settle udev first.
func awaitDevices(g system.Guest, needed bool) error {
	_, err := g.Root.Lstat(waitForUdev)
	switch {
	case !needed && err == nil:
		return g.Root.Remove(waitForUdev)
	case !needed || !g.Root.Exists("/usr/lib/systemd/system/networking.service") && !g.Root.Exists("/lib/systemd/system/networking.service"):
		return nil
	}
	if _, err := g.Root.MkdirAll(path.Dir(waitForUdev), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	return g.Root.Put(waitForUdev, func([]byte) ([]byte, error) { return []byte(waitContent), nil })
}
