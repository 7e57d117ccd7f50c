package inspect

import (
	"bytes"
	"strings"

	"snf-image/internal/guest/rootfs"
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

// Network returns the name of the system that configures the image's network
// interfaces at boot, empty when it is none of those above. Where several are
// installed the one the distribution prefers wins: ifupdown if it is installed,
// because whoever uses another one on Debian removes it.
func Network(root *rootfs.Root) string {
	installed := func(names ...string) bool {
		for _, n := range names {
			for _, dir := range []string{"/sbin/", "/usr/sbin/", "/usr/bin/", "/usr/lib/systemd/", "/lib/systemd/"} {
				if root.Exists(dir + n) {
					return true
				}
			}
		}
		return false
	}
	matches := func(pattern string) bool {
		found, err := root.Glob(pattern)
		return err == nil && len(found) > 0
	}
	switch {
	case installed("ifup") && root.IsDir("/etc/network"):
		return Ifupdown
	case installed("netplan") || matches("/etc/netplan/*.yaml"):
		return Netplan
	case installed("wicked"):
		return Wicked
	case installed("NetworkManager"):
		return NetworkManager
	case root.IsDir("/etc/sysconfig/network-scripts") || matches("/etc/sysconfig/network/ifcfg-*"):
		return Ifcfg
	case root.Exists("/etc/network/interfaces"):
		return Ifupdown
	case matches("/etc/systemd/network/*.network"),
		root.Exists("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"):
		return Networkd
	}
	return ""
}

// KernelNames says whether the image leaves the network interfaces the names
// the kernel gave them: udev is told so on the kernel's command line, or one of
// its files that make predictable names is masked (systemd.link(5)).
func KernelNames(root *rootfs.Root) bool {
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
		files, _ := root.Glob(pattern) // one that can not be searched tells nothing
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

// maxStatus is more than the status file of a very large Debian system.
const maxStatus = 32 << 20

// PackageVersion returns the version of an installed Debian package, empty
// when it is not installed or the image has no dpkg.
func PackageVersion(root *rootfs.Root, name string) string {
	data, err := root.ReadFile("/var/lib/dpkg/status", maxStatus)
	if err != nil {
		return ""
	}
	return packageVersion(data, name)
}

// packageVersion reads the paragraph of a package in dpkg's status file
// (deb-control(5) syntax).
func packageVersion(status []byte, name string) string {
	start := append([]byte("Package: "), name...)
	for paragraph := range bytes.SplitSeq(status, []byte("\n\n")) {
		paragraph = bytes.TrimLeft(paragraph, "\n")
		if line, _, _ := bytes.Cut(paragraph, []byte("\n")); !bytes.Equal(bytes.TrimSpace(line), start) {
			continue
		}
		version, state := "", ""
		for line := range bytes.Lines(paragraph) {
			if value, ok := bytes.CutPrefix(line, []byte("Version:")); ok {
				version = string(bytes.TrimSpace(value))
			}
			if value, ok := bytes.CutPrefix(line, []byte("Status:")); ok {
				state = string(bytes.TrimSpace(value))
			}
		}
		if strings.HasSuffix(state, " installed") {
			return version
		}
	}
	return ""
}
