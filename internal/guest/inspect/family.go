package inspect

import "snf-image/internal/guest/rootfs"

// The families of systems, values of the property OSFAMILY.
const (
	Linux         = "linux"
	Windows       = "windows"
	WindowsLegacy = "windows-legacy"
	FreeBSD       = "freebsd"
	NetBSD        = "netbsd"
	OpenBSD       = "openbsd"
)

// detector recognizes the systems of one family.
type detector struct {
	family string
	is     func(root *rootfs.Root) bool
}

// detectors returns what this version recognizes; the first that does counts. A system
// that looks like another one stands before it.
func detectors() []detector {
	return []detector{
		{WindowsLegacy, isLegacy},
		{Windows, isWindows},
		{Linux, isLinux},
	}
}

// family returns the family of the system in root, empty for nothing that is known.
func family(root *rootfs.Root) string {
	for _, d := range detectors() {
		if d.is(root) {
			return d.family
		}
	}
	return ""
}

// isLinux knows a system by what names its distribution, and very small ones by their
// fstab.
func isLinux(root *rootfs.Root) bool {
	distribution, _, _ := release(root)
	return distribution != "" || root.IsRegular("/etc/fstab")
}
