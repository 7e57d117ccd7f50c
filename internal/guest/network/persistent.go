package network

import (
	"slices"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// persistentNames are the places of the rules that udev's generator wrote for each
// interface it had seen, in Debian since etch and in the Red Hat family up to 6.
var persistentNames = []string{
	"/etc/udev/rules.d/70-persistent-net.rules",
	"/etc/udev/rules.d/z25_persistent-net.rules",
}

// freeNames disables the rules by which the names of the instance's interfaces
// belong to the MAC addresses of another machine. On an installed machine whose MAC
// addresses are not told they are its own.
func freeNames(g system.Guest, interfaces []netconf.Interface) error {
	unknown := slices.ContainsFunc(interfaces, func(i netconf.Interface) bool { return i.MAC == "" })
	if unknown && g.Living {
		return nil
	}
	names := map[string]string{}
	for _, i := range interfaces {
		names[i.MAC] = i.Name
	}
	for _, p := range persistentNames {
		var free []string
		err := g.Root.Edit(p, func(old []byte) (out []byte, err error) {
			out, free = netconf.DisableStaleNames(old, names)
			return out, nil
		})
		if err != nil && !rootfs.IsNotExist(err) {
			return err
		}
		if len(free) > 0 {
			g.Log.Info("disabled udev rules of other MAC addresses", "file", p, "names", free)
		}
	}
	return nil
}
