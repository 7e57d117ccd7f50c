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

// hasIfupdown reports whether ifupdown brings the interfaces up. Where systemd is the
// init and does not start it, something else does, if there is anything.
func hasIfupdown(root *rootfs.Root) bool {
	if !installed(root, "ifup") || !root.IsDir(interfacesDir) {
		return false
	}
	other := hasNetplan(root) || enabled(root, networkdUnit) || enabled(root, networkManagerUnit)
	return !bySystemd(root) || !other || enabled(root, ifupdownUnit)
}

func hasInterfacesFile(root *rootfs.Root) bool { return root.Exists(interfacesFile) }

// hasWicked reports whether the image has wicked. SUSE's network.service leads to the
// stack that is used.
func hasWicked(root *rootfs.Root) bool {
	return installed(root, "wicked") && !enabled(root, networkManagerUnit)
}

func hasIfcfg(root *rootfs.Root) bool {
	return root.IsDir("/etc/sysconfig/network-scripts") || matches(root, "/etc/sysconfig/network/ifcfg-*")
}
