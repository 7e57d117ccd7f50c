package inspect

import "snf-image/internal/guest/rootfs"

// initSystem names the program that starts the system, empty if unknown.
func initSystem(root *rootfs.Root) string {
	if Systemd(root) {
		return "systemd"
	}
	for _, i := range []struct{ name, path string }{
		{"OpenRC", "/sbin/openrc"},
		{"OpenRC", "/usr/sbin/openrc"},
		{"runit", "/sbin/runit-init"},
		{"runit", "/usr/bin/runit-init"},
		{"dinit", "/sbin/dinit"},
		{"dinit", "/usr/bin/dinit"},
		{"s6", "/usr/bin/s6-svscan"},
		{"Upstart", "/sbin/initctl"},
		{"System V", "/etc/inittab"},
	} {
		if root.Exists(i.path) {
			return i.name
		}
	}
	return ""
}
