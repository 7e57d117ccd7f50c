package network

import (
	"regexp"
	"slices"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	netplanDir  = "/etc/netplan"
	netplanFile = netplanDir + "/50-snf-image.yaml"
	maxNetplan  = 1 << 20
)

// hasNetplan knows netplan by its program, too: the images of Debian have an empty
// /etc/netplan.
func hasNetplan(root *rootfs.Root) string {
	if why := because(program(root, "netplan")); why != "" {
		return why
	}
	return because(first(root, netplanDir+"/*.yaml"))
}

// netplanRenderer returns what configures the interfaces for netplan: NetworkManager
// where it is started and networkd is not, as on desktops.
func netplanRenderer(root *rootfs.Root) string {
	if started(root, networkManagerService) && !started(root, networkdService) {
		return netconf.ByNetworkManager
	}
	return netconf.ByNetworkd
}

// checkNetplan finds out what applyNetplan would fail with.
func checkNetplan(g system.Guest, interfaces []netconf.Interface) error {
	if err := replaceable(g, netplanFile); err != nil {
		return err
	}
	if netplanRenderer(g.Root) == netconf.ByNetworkManager {
		return nil
	}
	return checkStatic(g, interfaces)
}

// applyNetplan writes the one file that tells of Ethernet interfaces. Those of the image
// get names that netplan does not read.
func applyNetplan(g system.Guest, interfaces []netconf.Interface) error {
	renderer := netplanRenderer(g.Root)
	if err := write(g, netplanFile, netconf.Netplan(interfaces, renderer), 0o600); err != nil {
		return err
	}
	if err := hideNetplan(g); err != nil {
		return err
	}
	if renderer == netconf.ByNetworkManager {
		return hideProfiles(g)
	}
	return writeStatic(g, interfaces)
}

// hideNetplan sets aside the files of /etc/netplan that define Ethernet interfaces, and
// masks those of the system by empty files.
func hideNetplan(g system.Guest) error {
	own, err := g.Root.Glob(netplanDir + "/*.yaml")
	if err != nil {
		return err
	}
	for _, p := range own {
		if p == netplanFile || !definesEthernets(g.Root, p) {
			continue
		}
		if err := setAside(g, p, ""); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/usr/lib/netplan", "/lib/netplan"} {
		found, err := g.Root.Glob(dir + "/*.yaml")
		if err != nil {
			return err
		}
		for _, p := range found {
			mask := netplanDir + p[len(dir):]
			if g.Root.Has(mask) || !definesEthernets(g.Root, p) {
				continue
			}
			if err := write(g, mask, []byte(netconf.Header), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// definesEthernets reports whether a file of netplan has the key, not in a comment. One that
// cannot be read netplan cannot read either.
func definesEthernets(root *rootfs.Root, p string) bool {
	data, err := root.ReadFile(p, maxNetplan)
	return err == nil && ethernetsKey.Match(yamlComment.ReplaceAll(data, nil))
}

var (
	// A comment of YAML begins a line, or comes after white space.
	yamlComment  = regexp.MustCompile(`(?m)(^|[ \t])#.*$`)
	ethernetsKey = regexp.MustCompile(`(^|[^\w-])["']?ethernets["']?[ \t]*:`)
)

// Seed configures the interfaces by the file of cloud-init's seed that it hands over to netplan,
// and has nothing else configure them. It reports whether it did: only where netplan is what the
// image uses, with networkd, and finds the interfaces by their addresses.
func Seed(g system.Guest, interfaces []netconf.Interface, file string) (bool, error) {
	s, _, ok := find(g.Root)
	named := slices.ContainsFunc(interfaces, func(i netconf.Interface) bool { return i.Configured() && i.MAC == "" })
	configured := slices.ContainsFunc(interfaces, netconf.Interface.Configured)
	if !ok || s.name != Netplan || netplanRenderer(g.Root) != netconf.ByNetworkd || named || !configured {
		return false, nil
	}
	if err := freeNames(g, interfaces); err != nil {
		return false, err
	}
	if err := keepOthers(g, interfaces, s.name); err != nil {
		return false, err
	}
	if err := write(g, file, netconf.NetworkConfig(interfaces), 0o600); err != nil {
		return false, err
	}
	if err := put(g, netplanFile, "", false); err != nil {
		return false, err
	}
	if err := hideNetplan(g); err != nil {
		return false, err
	}
	return true, writeStatic(g, interfaces)
}
