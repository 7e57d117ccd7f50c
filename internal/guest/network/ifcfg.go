package network

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	scriptsDir  = "/etc/sysconfig/network-scripts/"
	ifcfgFiles  = scriptsDir + "ifcfg-*"
	networkFile = "/etc/sysconfig/network"
	ifcfgPlugin = "libnm-settings-plugin-ifcfg-rh.so"
)

// readsIfcfg reports why ifcfg files are what configures the interfaces: the initscripts
// are started and nothing newer is, or NetworkManager prefers them to its keyfiles.
func readsIfcfg(root *rootfs.Root) string {
	if why := prefersIfcfg(root); why != "" {
		return why
	}
	if !root.IsDir(scriptsDir) || started(root, networkManagerService) || started(root, networkdService) {
		return ""
	}
	return startedBy(root, scriptsService)
}

// hasIfcfg knows initscripts that something else starts by their files.
func hasIfcfg(root *rootfs.Root) string {
	if root.IsDir(scriptsDir) {
		return because(scriptsDir)
	}
	return ""
}

// prefersIfcfg reports why NetworkManager is started and writes ifcfg files: its plug-in
// is installed and comes first among those that are configured. Where none is configured
// the distribution decides: keyfiles come first since Fedora 33 and RHEL 9.
func prefersIfcfg(root *rootfs.Root) string {
	why := startedBy(root, networkManagerService)
	if why == "" || !root.IsDir(scriptsDir) || !matches(root, "/usr/lib*/NetworkManager/"+ifcfgPlugin) && !matches(root, "/usr/lib*/NetworkManager/*/"+ifcfgPlugin) {
		return ""
	}
	switch plugins := configuredPlugins(root); {
	case len(plugins) == 0 && ifcfgByDefault(root):
		return why + ", whose plug-in ifcfg-rh is the first of this distribution"
	case len(plugins) > 0 && plugins[0] == "ifcfg-rh":
		return why + ", with the plug-in ifcfg-rh first"
	}
	return ""
}

// configuredPlugins returns what NetworkManager.conf(5) has for plugins, of the last file
// that tells. The vendor's are read before the main one.
func configuredPlugins(root *rootfs.Root) []string {
	var files []string
	for _, pattern := range []string{"/usr/lib/NetworkManager/conf.d/*.conf", "/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d/*.conf"} {
		found, _ := root.Glob(pattern) // a directory that cannot be searched tells nothing
		files = append(files, found...)
	}
	var plugins []string
	for _, p := range files {
		data, err := root.ReadFile(p, maxProfile)
		if err != nil {
			continue
		}
		if text, ok := etc.ParseAssignments(data)["plugins"]; ok {
			plugins = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
		}
	}
	return plugins
}

// ifcfgByDefault reports whether the distribution's NetworkManager was built to prefer
// ifcfg files.
func ifcfgByDefault(root *rootfs.Root) bool {
	data, err := root.ReadFile("/etc/os-release", rootfs.MaxConfig)
	if err != nil {
		return root.IsRegular("/etc/redhat-release") // older than os-release
	}
	v := etc.ParseAssignments(data)
	major, _, _ := strings.Cut(v["VERSION_ID"], ".")
	version, err := strconv.Atoi(major)
	switch {
	case err != nil:
		return false
	case v["ID"] == "fedora":
		return version < 33
	case slices.Contains(strings.Fields(v["ID"]+" "+v["ID_LIKE"]), "rhel") || v["ID"] == "centos" || v["ID"] == "ol":
		return version < 9
	}
	return false
}

// checkIfcfg finds out what applyIfcfg would fail with.
func checkIfcfg(g system.Guest, interfaces []netconf.Interface) error {
	for _, i := range interfaces {
		if err := replaceable(g, scriptsDir+"ifcfg-"+i.Name); err != nil {
			return err
		}
	}
	if !started(g.Root, networkManagerService) {
		if err := editable(g, networkFile); err != nil {
			return err
		}
	}
	return checkNames(g, interfaces)
}

// applyIfcfg writes the files of each NIC. Those of other Ethernet interfaces, their
// routes and rules get names that nothing reads, and the image's own default gateway goes.
func applyIfcfg(g system.Guest, interfaces []netconf.Interface) error {
	byNM := started(g.Root, networkManagerService)
	named := interfaces
	if !byNM {
		var err error
		if named, err = assignNames(g, interfaces); err != nil {
			return err
		}
	}
	files := map[string][]byte{}
	for _, i := range named {
		if !i.Configured() {
			continue
		}
		if byNM && i.MAC == "" && len(named) > 1 {
			g.Warn("the MAC address of NIC %d is not known: its file is for any Ethernet interface", i.Index)
		}
		for _, f := range netconf.Ifcfg(i, byNM) {
			files[scriptsDir+f.Name] = f.Data
		}
	}
	if err := writeFiles(g, files, scriptsDir, []string{"ifcfg-", "route-", "route6-", "rule-", "rule6-"}); err != nil {
		return err
	}
	if byNM {
		return write(g, noAutoFile, []byte(noAuto), 0o644)
	}
	return enableScripts(g, named)
}

// enableScripts makes /etc/sysconfig/network let the initscripts configure interfaces, and
// takes a default gateway of the image's own out of it.
func enableScripts(g system.Guest, interfaces []netconf.Interface) error {
	old, err := g.Root.ReadFile(networkFile, rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	data := netconf.DisableVariables(old, "GATEWAY", "GATEWAYDEV", "IPV6_DEFAULTGW", "IPV6_DEFAULTDEV")
	data = etc.SetAssignment(data, "NETWORKING", "yes")
	if slices.ContainsFunc(interfaces, func(i netconf.Interface) bool { return i.IPv6 != netconf.None }) {
		data = etc.SetAssignment(data, "NETWORKING_IPV6", "yes")
	}
	if bytes.Equal(old, data) {
		return nil
	}
	return g.Root.Put(networkFile, func([]byte) ([]byte, error) { return data, nil })
}

// writeFiles writes the files of a stack that has one or more for each interface, in a
// directory, and sets aside what was there for Ethernet interfaces: files whose names
// begin with one of the prefixes.
func writeFiles(g system.Guest, files map[string][]byte, dir string, prefixes []string) error {
	for _, prefix := range prefixes {
		found, err := g.Root.Glob(dir + prefix + "*")
		if err != nil {
			return err
		}
		for _, p := range found {
			if _, ours := files[p]; ours || strings.HasSuffix(p, backupEnd) || !g.Root.IsRegular(p) || !forEthernet(g.Root, p, prefix) {
				continue
			}
			if err := drop(g, p); err != nil {
				return err
			}
		}
	}
	for p, data := range files {
		if err := writeWith(g, p, data, 0o644, backupEnd); err != nil {
			return err
		}
	}
	return nil
}

// forEthernet reports whether a file PREFIXname is for an Ethernet interface: by its name,
// or, of an ifcfg file, by what it says.
func forEthernet(root *rootfs.Root, p, prefix string) bool {
	name := strings.TrimPrefix(path.Base(p), prefix)
	if prefix == "ifcfg-" {
		return isEthernetProfile(root, p)
	}
	return netconf.IsEthernet(name) || isOurs(root, p)
}

// isOurs reports whether an earlier run wrote a file.
func isOurs(root *rootfs.Root, p string) bool {
	data, err := root.ReadFile(p, rootfs.MaxConfig)
	return err == nil && bytes.HasPrefix(data, []byte(netconf.Header))
}

// drop sets a file aside, or removes what an earlier run wrote into an image.
func drop(g system.Guest, p string) error {
	if isOurs(g.Root, p) && !g.Living {
		return g.Root.Remove(p)
	}
	return setAside(g, p, backupEnd)
}
