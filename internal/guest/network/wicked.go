package network

import (
	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	sysconfigDir    = "/etc/sysconfig/network/"
	sysconfigConfig = sysconfigDir + "config"
	sysconfigRoutes = sysconfigDir + "routes"
)

// runsWicked reports why wicked is what SUSE's network.service leads to.
func runsWicked(root *rootfs.Root) string {
	if !installed(root, "wicked") {
		return ""
	}
	if why := startedBy(root, wickedService); why != "" {
		return why
	}
	if started(root, networkManagerService) || started(root, networkdService) {
		return ""
	}
	return because(program(root, "wicked"))
}

// hasSysconfig knows the scripts that SUSE had before wicked, which read the same files.
func hasSysconfig(root *rootfs.Root) string {
	if root.Exists(sysconfigConfig) {
		return because(sysconfigConfig)
	}
	return because(first(root, sysconfigDir+"ifcfg-*"))
}

// checkWicked finds out what applyWicked would fail with.
func checkWicked(g system.Guest, interfaces []netconf.Interface) error {
	for _, i := range interfaces {
		if err := replaceable(g, sysconfigDir+"ifcfg-"+i.Name); err != nil {
			return err
		}
	}
	for _, p := range []string{sysconfigRoutes, sysconfigConfig} {
		if err := editable(g, p); err != nil {
			return err
		}
	}
	return checkNames(g, interfaces)
}

// applyWicked writes the files of each NIC, and tells netconfig of name servers. Those of
// other Ethernet interfaces get names that nothing reads, and default routes of the image's
// own go.
func applyWicked(g system.Guest, interfaces []netconf.Interface) error {
	named, err := assignNames(g, interfaces)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, i := range named {
		if !i.Configured() {
			continue
		}
		for _, f := range netconf.Wicked(i) {
			files[sysconfigDir+f.Name] = f.Data
		}
	}
	if err := writeFiles(g, files, sysconfigDir, []string{"ifcfg-", "ifroute-", "ifrule-", "ifsysctl-"}); err != nil {
		return err
	}
	err = g.Root.Edit(sysconfigRoutes, func(old []byte) ([]byte, error) { return netconf.DisableRoutes(old), nil })
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	if !hasServers(interfaces) {
		return nil
	}
	return g.Root.Put(sysconfigConfig, func(old []byte) ([]byte, error) {
		return netconf.WickedResolver(old, interfaces, etc.SetAssignment), nil
	})
}
