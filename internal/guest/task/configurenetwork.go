package task

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// Files of ifupdown.
const (
	interfacesDir  = "/etc/network"
	interfacesFile = interfacesDir + "/interfaces"
)

// configureNetwork configures the NICs of the instance in the network
// configuration system of the image.
func configureNetwork(_ context.Context, r *Run) error {
	interfaces, err := wantedInterfaces(r.Plan)
	if errors.Is(err, netconf.ErrLeave) {
		return Skip("%v", err)
	}
	if err != nil {
		return err
	}
	switch system := inspect.Network(r.Root); system {
	case inspect.Ifupdown:
		return configureIfupdown(r, interfaces)
	case "":
		r.Warn("the image's network configuration system is unknown or not in this version: its network was left as it is")
		return nil
	default:
		return unsupportedNetwork(system)
	}
}

// unsupportedNetwork is the failure of an image whose network another system
// configures.
func unsupportedNetwork(system string) error {
	return &Remedied{
		Err:    fmt.Errorf("configuring a network by %s is not in this version", system),
		Remedy: "set the property EXCLUDE_TASK_CONFIGURENETWORK=yes and let the image configure itself",
	}
}

// wantedInterfaces decides how each NIC of the plan is configured.
func wantedInterfaces(p *spec.Plan) ([]netconf.Interface, error) {
	tags := netconf.Tags{DHCP: p.DHCPTags, Stateful: p.StatefulTags, Stateless: p.StatelessTags}
	interfaces, err := netconf.Plan(p.NICs, tags, p.DefaultNIC)
	if err != nil {
		return nil, err
	}
	return interfaces, netconf.Supply(interfaces, netconf.Common{DNS: p.DNS, Search: p.Search, MTU: p.MTU})
}

// configureIfupdown writes /etc/network/interfaces and takes the stanzas of
// other Ethernet interfaces out of the files it includes.
func configureIfupdown(r *Run, interfaces []netconf.Interface) error {
	old, err := r.Root.ReadFile(interfacesFile, maxInterfaces)
	exists := err == nil
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	format := netconf.Ifupdown{
		Version:     inspect.PackageVersion(r.Root, "ifupdown"),
		KernelNames: len(interfaces) > 1 && inspect.KernelNames(r.Root),
		Sources:     netconf.Sources(old),
	}
	warnAboutIfupdown(r, format, interfaces)
	if err := disableIncluded(r, old); err != nil {
		return err
	}
	if err := freeNames(r, interfaces); err != nil {
		return err
	}
	if err := writeResolver(r, interfaces); err != nil {
		return err
	}
	if err := awaitDevices(r, format.ByPattern(interfaces)); err != nil {
		return err
	}
	data := format.Render(interfaces)
	if !exists {
		if _, err := r.Root.MkdirAll(interfacesDir, rootfs.Attr{Mode: 0o755}); err != nil {
			return err
		}
		return r.Root.WriteFile(interfacesFile, data, rootfs.Attr{Mode: 0o644})
	}
	if err := keep(r, interfacesFile, old, data, netconf.IfupdownHeader); err != nil {
		return err
	}
	return r.Root.Edit(interfacesFile, func([]byte) ([]byte, error) { return data, nil })
}

// warnAboutIfupdown says what the image lacks for its network to come up.
func warnAboutIfupdown(r *Run, format netconf.Ifupdown, interfaces []netconf.Interface) {
	dhcp, dhcp6, configured := false, false, false
	for _, i := range interfaces {
		dhcp = dhcp || i.IPv4 == netconf.DHCP
		dhcp6 = dhcp6 || i.IPv6 == netconf.DHCP || i.IPv6 == netconf.SLAACDHCP
		configured = configured || i.IPv4 != netconf.None || i.IPv6 != netconf.None
	}
	if configured && !format.MatchesByMAC() {
		r.Warn("the image's ifupdown can not match interfaces by MAC address: NIC n was configured as ethN")
	}
	if configured && format.AvoidsKernelNames(interfaces) {
		r.Warn("the image keeps the kernel's names of interfaces, whose order may differ: NIC n was named nicN by its MAC address")
	}
	if dhcp && !program(r.Root, "dhclient", "udhcpc", "dhcpcd") || dhcp6 && !program(r.Root, "dhclient", "dhcpcd") {
		r.Warn("the image has no DHCP client that its ifupdown knows")
	}
}

// program says whether the image has one of the programs.
func program(root *rootfs.Root, names ...string) bool {
	for _, name := range names {
		for _, dir := range []string{"/sbin/", "/usr/sbin/", "/bin/", "/usr/bin/"} {
			if root.Exists(dir + name) {
				return true
			}
		}
	}
	return false
}

// Bounds of interfaces files: bytes of one, and how many it may include over all
// depths.
const (
	maxInterfaces = 1 << 20
	maxIncludes   = 1000
)

// disableIncluded disables the Ethernet stanzas of every file that the content
// of /etc/network/interfaces includes.
func disableIncluded(r *Run, data []byte) error {
	seen := map[string]bool{interfacesFile: true}
	queue, err := included(r, data, interfacesDir)
	if err != nil {
		return err
	}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		if len(seen) > maxIncludes {
			return fmt.Errorf("%s includes more than %d files", interfacesFile, maxIncludes)
		}
		more, err := disableFile(r, p)
		if err != nil {
			return err
		}
		queue = append(queue, more...)
	}
	return nil
}

// disableFile disables the Ethernet stanzas of one file and returns the files
// it includes itself.
func disableFile(r *Run, p string) (more []string, err error) {
	var names []string
	err = r.Root.Edit(p, func(old []byte) ([]byte, error) {
		if len(old) > maxInterfaces {
			return nil, fmt.Errorf("%w: more than %d bytes", rootfs.ErrTooLarge, maxInterfaces)
		}
		if more, err = included(r, old, path.Dir(p)); err != nil {
			return nil, err
		}
		var out []byte
		out, names = netconf.DisableEthernet(old)
		return out, nil
	})
	if rootfs.IsNotExist(err) {
		return nil, nil
	}
	if err == nil && len(names) > 0 {
		r.Log.Info("disabled stanzas", "file", p, "interfaces", names)
	}
	return more, err
}

// included returns the files that the source lines in data read.
func included(r *Run, data []byte, dir string) ([]string, error) {
	var files []string
	sources := netconf.Sources(data)
	if len(sources) > maxIncludes {
		return nil, fmt.Errorf("an interfaces file includes more than %d patterns", maxIncludes)
	}
	for _, line := range sources {
		pattern, directory, ok := netconf.SourcePattern(line, dir)
		if !ok {
			r.Warn("left out of the search for other configurations: %q", line)
			continue
		}
		found, err := r.Root.Glob(pattern)
		if err != nil {
			return nil, err
		}
		if directory {
			found = entries(r.Root, found)
		}
		files = append(files, slices.DeleteFunc(found, func(p string) bool { return !r.Root.IsRegular(p) })...)
	}
	return files, nil
}

// entries returns the files source-directory reads in the directories.
func entries(root *rootfs.Root, dirs []string) []string {
	var files []string
	for _, dir := range dirs {
		names, err := root.ReadDir(dir)
		if err != nil {
			continue // as ifupdown does with what is no directory
		}
		for _, name := range names {
			if netconf.ReadByDirectory(name) {
				files = append(files, dir+"/"+name)
			}
		}
	}
	return files
}
