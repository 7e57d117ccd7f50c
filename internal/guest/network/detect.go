package network

import "snf-image/internal/guest/rootfs"

// places are the directories of programs.
var places = []string{"/sbin/", "/usr/sbin/", "/bin/", "/usr/bin/", "/usr/lib/systemd/", "/lib/systemd/"}

// installed reports whether the image has one of the programs.
func installed(root *rootfs.Root, names ...string) bool {
	for _, name := range names {
		for _, dir := range places {
			if root.Exists(dir + name) {
				return true
			}
		}
	}
	return false
}

// matches reports whether a file matches the pattern.
func matches(root *rootfs.Root, pattern string) bool {
	found, err := root.Glob(pattern)
	return err == nil && len(found) > 0
}

func hasIfupdown(root *rootfs.Root) bool {
	return installed(root, "ifup") && root.IsDir(interfacesDir)
}

func hasInterfacesFile(root *rootfs.Root) bool { return root.Exists(interfacesFile) }

func hasNetplan(root *rootfs.Root) bool {
	return installed(root, "netplan") || matches(root, "/etc/netplan/*.yaml")
}

func hasWicked(root *rootfs.Root) bool { return installed(root, "wicked") }

func hasNetworkManager(root *rootfs.Root) bool { return installed(root, "NetworkManager") }

func hasIfcfg(root *rootfs.Root) bool {
	return root.IsDir("/etc/sysconfig/network-scripts") || matches(root, "/etc/sysconfig/network/ifcfg-*")
}

func hasNetworkd(root *rootfs.Root) bool {
	return matches(root, "/etc/systemd/network/*.network") ||
		root.Exists("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service")
}
