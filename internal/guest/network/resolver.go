package network

import (
	"io/fs"
	"net/netip"
	"path"
	"slices"
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
	if hasResolvconf(g.Root) {
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

// tellResolver writes /etc/resolv.conf, or a file for systemd-resolved where that leads to
// it. Without servers and domains the image's own stays.
func tellResolver(g system.Guest, interfaces []netconf.Interface) error {
	if !hasServers(interfaces) {
		return nil
	}
	dns, search := netconf.Resolver(interfaces)
	if byResolved(g.Root) {
		return write(g, resolvedFile, resolvedConf(dns, search), 0o644)
	}
	if len(dns) > maxServers {
		g.Warn("the resolver asks only the first %d of %d name servers", maxServers, len(dns))
	}
	data := resolverFile(dns, search)
	st, err := g.Root.Lstat(resolvConf)
	switch {
	case err == nil && st.Mode().Type() == fs.ModeSymlink:
		if err := keepLink(g, resolvConf, ""); err != nil {
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
	return hasServers(interfaces) && !hasResolvconf(root) && !byResolved(root)
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

// hasResolvconf reports whether the image has a resolvconf that takes the options
// dns-nameservers and dns-search of /etc/network/interfaces. The one of systemd is not told.
func hasResolvconf(root *rootfs.Root) bool {
	p := program(root, "resolvconf")
	target, _ := root.Readlink(p) // not a link
	return p != "" && path.Base(target) != "resolvectl"
}

const (
	resolvedFile = "/etc/systemd/resolved.conf.d/50-snf-image.conf"
	// resolvedHook is the script by which ifupdown tells systemd-resolved of the options. That
	// of Debian 12 makes a search domain "DOMAINS" of them.
	resolvedHook = "/etc/network/if-up.d/resolved"
)

// byResolved reports whether systemd-resolved is started and /etc/resolv.conf leads to it.
func byResolved(root *rootfs.Root) bool {
	target, err := root.Readlink(resolvConf)
	return err == nil && strings.Contains(target, "systemd/resolve/") && enabled(root, resolvedUnit)
}

// resolvedConf returns the content of a file of resolved.conf(5).
func resolvedConf(dns []netip.Addr, search []string) []byte {
	var b strings.Builder
	b.WriteString(resolverHeader + "[Resolve]\n")
	for _, server := range dns {
		b.WriteString("DNS=" + server.String() + "\n")
	}
	if len(search) > 0 {
		b.WriteString("Domains=" + strings.Join(search, " ") + "\n")
	}
	return []byte(b.String())
}

// withoutServers returns the interfaces as ifupdown is told of them: without name servers
// where only the hook of systemd-resolved would take them.
func withoutServers(root *rootfs.Root, interfaces []netconf.Interface) []netconf.Interface {
	if hasResolvconf(root) || !root.Exists(resolvedHook) {
		return interfaces
	}
	out := slices.Clone(interfaces)
	for n := range out {
		out[n].DNS, out[n].Search = nil, nil
	}
	return out
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
