package network

import "snf-image/internal/guest/rootfs"

// bySystemd reports whether systemd is the init of the image.
func bySystemd(root *rootfs.Root) bool {
	return root.IsRegular("/usr/lib/systemd/systemd") || root.IsRegular("/lib/systemd/systemd")
}

// enabled reports whether systemd starts a unit at boot: another one wants it, and it is
// not masked.
func enabled(root *rootfs.Root, unit string) bool {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/lib/systemd/system/"} {
		if target, err := root.Readlink(dir + unit); err == nil && target == "/dev/null" {
			return false
		}
	}
	for _, pattern := range []string{"/etc/systemd/system/*.wants/", "/etc/systemd/system/*.requires/", "/usr/lib/systemd/system/*.wants/"} {
		if matches(root, pattern+unit) {
			return true
		}
	}
	return false
}

// The units of the stacks, and of the resolver that two of them tell of name servers.
const (
	ifupdownUnit       = "networking.service"
	networkdUnit       = "systemd-networkd.service"
	networkManagerUnit = "NetworkManager.service"
	resolvedUnit       = "systemd-resolved.service"
)
