package network

import (
	"bytes"

	"snf-image/internal/guest/rootfs"
)

// kernelNames reports whether the image leaves the network interfaces the names
// the kernel gave them: udev is told so on the kernel's command line, or one of
// its files that make predictable names is masked (systemd.link(5)).
func kernelNames(root *rootfs.Root) bool {
	for _, p := range []string{"/etc/systemd/network/99-default.link", "/etc/udev/rules.d/80-net-setup-link.rules"} {
		target, err := root.Readlink(p)
		if st, statErr := root.Stat(p); err == nil && target == "/dev/null" || statErr == nil && st.Mode().IsRegular() && st.Size() == 0 {
			return true
		}
	}
	for _, pattern := range []string{
		"/boot/grub*/grub.cfg", "/boot/grub/menu.lst", "/boot/loader/entries/*.conf", "/boot/*linux/*linux.c*",
		"/etc/default/grub", "/etc/default/grub.d/*.cfg", "/etc/kernel/cmdline",
	} {
		files, _ := root.Glob(pattern) // one that cannot be searched tells nothing
		for _, p := range files {
			data, err := root.ReadFile(p, maxBootConfig)
			if err == nil && bytes.Contains(data, []byte("net.ifnames=0")) {
				return true
			}
		}
	}
	return false
}

// maxBootConfig bounds a boot loader's configuration file, in bytes.
const maxBootConfig = 1 << 20
