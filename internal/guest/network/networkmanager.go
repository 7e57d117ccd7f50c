package network

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	profiles = "/etc/NetworkManager/system-connections/"
	// profileFiles begins the names of our profiles.
	profileFiles = profiles + "snf-image-"
	// noAutoFile keeps NetworkManager from making profiles of its own.
	noAutoFile  = "/etc/NetworkManager/conf.d/90-snf-image.conf"
	noAuto      = netconf.Header + "[main]\nno-auto-default=*\n"
	maxProfile  = 1 << 20
	backupEnd   = "~" // ends the name of a file that neither NetworkManager nor initscripts read
	profilesEnd = ".nmconnection"
)

// slackwareScript starts NetworkManager in Slackware, if it is executable. A full installation
// has both, and configures the network by rc.inet1 until somebody changes the mode.
const slackwareScript = "/etc/rc.d/rc.networkmanager"

// runsNetworkManager reports why NetworkManager configures the interfaces: it is installed,
// and systemd-networkd is not started in its place.
func runsNetworkManager(root *rootfs.Root) string {
	p := program(root, "NetworkManager")
	why := startedBy(root, networkManagerService)
	if p == "" || why == "" && (started(root, networkdService) || root.Exists(slackwareScript)) {
		return ""
	}
	if why != "" {
		return why
	}
	return because(p)
}

// checkNetworkManager finds out what applyNetworkManager would fail with.
func checkNetworkManager(g system.Guest, interfaces []netconf.Interface) error {
	for _, i := range interfaces {
		if err := replaceable(g, profileOf(i)); err != nil {
			return err
		}
	}
	if _, err := checkFile(g, interfacesFile); err != nil {
		return err
	}
	if err := checkIncluded(g); err != nil {
		return err
	}
	return replaceable(g, noAutoFile)
}

func profileOf(i netconf.Interface) string {
	return fmt.Sprintf("%snic%d%s", profileFiles, i.Index, profilesEnd)
}

// applyNetworkManager writes a profile for each NIC, which only root may read or it is
// ignored. Other profiles of Ethernet interfaces, and what the plug-in of ifupdown takes
// away from NetworkManager, are set aside.
func applyNetworkManager(g system.Guest, interfaces []netconf.Interface) error {
	written := map[string]bool{}
	for _, i := range interfaces {
		if !i.Configured() {
			continue
		}
		if err := writeWith(g, profileOf(i), netconf.Keyfile(i, len(interfaces) == 1), 0o600, backupEnd); err != nil {
			return err
		}
		written[profileOf(i)] = true
	}
	if err := removeOwn(g, profileFiles+"*"+profilesEnd, written, backupEnd); err != nil {
		return err
	}
	if err := write(g, noAutoFile, []byte(noAuto), 0o644); err != nil {
		return err
	}
	if err := hideProfiles(g); err != nil {
		return err
	}
	if installed(g.Root, "NetworkManager") && !started(g.Root, networkManagerService) {
		g.Warn("found nothing in the image that starts NetworkManager at boot, whose profiles were written")
	}
	return disableStanzas(g)
}

// hideProfiles sets aside the profiles of Ethernet interfaces, of both forms.
func hideProfiles(g system.Guest) error {
	found, err := g.Root.Glob(profiles + "*")
	if err != nil {
		return err
	}
	scripts, err := g.Root.Glob(ifcfgFiles)
	if err != nil {
		return err
	}
	for _, p := range append(found, scripts...) {
		if strings.HasPrefix(p, profileFiles) || strings.HasSuffix(p, backupEnd) || !g.Root.IsRegular(p) || !isEthernetProfile(g.Root, p) {
			continue
		}
		if err := setAside(g, p, backupEnd); err != nil {
			return err
		}
	}
	return nil
}

// isEthernetProfile reports whether a keyfile, or an ifcfg file, is for an Ethernet
// interface by itself.
func isEthernetProfile(root *rootfs.Root, p string) bool {
	data, err := root.ReadFile(p, maxProfile)
	if err != nil {
		return false // NetworkManager cannot read it either
	}
	values := etc.ParseAssignments(data)
	name, isScript := strings.CutPrefix(path.Base(p), "ifcfg-")
	if !isScript {
		return values["type"] == "ethernet" || values["type"] == "802-3-ethernet"
	}
	if device := values["DEVICE"]; device != "" {
		name = device
	}
	name, _, _ = strings.Cut(name, "-range") // further addresses of an interface (sysconfig.txt)
	kind := strings.ToLower(values["TYPE"])
	return kind == "ethernet" || kind == "" && netconf.IsEthernet(name)
}

// disableStanzas takes Ethernet interfaces out of /etc/network/interfaces and what it
// includes: in Debian NetworkManager leaves alone what is there.
func disableStanzas(g system.Guest) error {
	data, err := g.Root.ReadFile(interfacesFile, maxInterfaces)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := disableFile(g, interfacesFile); err != nil {
		return err
	}
	return disableIncluded(g, data)
}
