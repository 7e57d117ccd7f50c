package network

import (
	"strings"

	"snf-image/internal/guest/rootfs"
)

// bySystemd reports whether systemd is the init of the image.
func bySystemd(root *rootfs.Root) bool {
	return root.IsRegular("/usr/lib/systemd/systemd") || root.IsRegular("/lib/systemd/systemd")
}

// unitDirs are where systemd finds units, the first ones before the others.
var unitDirs = []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}

// enabled reports whether systemd starts a unit at boot: another one wants it, or will by a
// preset, and it is not masked.
func enabled(root *rootfs.Root, unit string) bool {
	for _, dir := range unitDirs {
		if target, err := root.Readlink(dir + unit); err == nil && target == "/dev/null" {
			return false
		}
	}
	for _, dir := range unitDirs {
		if matches(root, dir+"*.wants/"+unit) || matches(root, dir+"*.requires/"+unit) {
			return true
		}
	}
	return presetAtBoot(root, unit)
}

// startedBy returns what starts a service at boot, in the words of its init, or "": a unit
// of systemd, a runlevel of OpenRC, runit's directory, a link of System V's init, or a script of
// Slackware that is executable.
func startedBy(root *rootfs.Root, service string) string {
	switch {
	case enabled(root, service+".service"):
		return service + ".service is enabled"
	case matches(root, "/etc/runlevels/*/"+service):
		return service + " is in a runlevel of OpenRC"
	case root.Has("/etc/runit/runsvdir/default/" + service):
		return service + " is started by runit"
	case matches(root, "/etc/rc[2-5].d/S[0-9][0-9]"+service), matches(root, "/etc/rc.d/rc[2-5].d/S[0-9][0-9]"+service),
		matches(root, "/etc/init.d/rc[2-5].d/S[0-9][0-9]"+service):
		return "the init script " + service + " is started"
	case executable(root, "/etc/rc.d/rc."+strings.ToLower(service)):
		return "rc." + strings.ToLower(service) + " is executable"
	}
	return ""
}

func executable(root *rootfs.Root, p string) bool {
	st, err := root.Stat(p)
	return err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0
}

// started reports whether something starts a service at boot.
func started(root *rootfs.Root, service string) bool { return startedBy(root, service) != "" }

// The services of the stacks, and the unit of the resolver that two of them tell of name
// servers.
const (
	ifupdownService       = "networking"
	networkdService       = "systemd-networkd"
	networkManagerService = "NetworkManager"
	wickedService         = "wicked"
	scriptsService        = "network" // of Red Hat's initscripts, and SUSE's
	resolvedUnit          = "systemd-resolved.service"
)
