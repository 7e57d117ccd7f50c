package network

import (
	"bytes"
	"fmt"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

const (
	// nameRules gives interfaces their names by their MAC addresses, where the stack
	// finds them by name. It sorts before the rules of predictable names.
	nameRules = "/etc/udev/rules.d/70-snf-image-net.rules"
	// mactab is what nameif(8) of busybox reads, which the mdev of Alpine calls.
	mactab      = "/etc/mactab"
	mdevConf    = "/etc/mdev.conf"
	maxMdevConf = 1 << 20
)

// checkByName returns the check of a stack that writes one file and finds interfaces by
// their names.
func checkByName(file string) func(system.Guest, []netconf.Interface) error {
	return func(g system.Guest, interfaces []netconf.Interface) error {
		if err := replaceable(g, file); err != nil {
			return err
		}
		return checkNames(g, interfaces)
	}
}

// checkNames finds out what assignNames and tellResolver would fail with.
func checkNames(g system.Guest, interfaces []netconf.Interface) error {
	if hasServers(interfaces) && !byResolved(g.Root) {
		if err := g.Root.Replaceable(resolvConf); err != nil {
			return err
		}
	}
	for _, p := range []string{nameRules, mactab} {
		if err := replaceable(g, p); err != nil {
			return err
		}
	}
	return nil
}

// assignNames returns the interfaces with names that they will have at boot, and makes
// sure of it: by a rule of udev, or a line for nameif. An only NIC is eth0. Several are
// called nicN, which the kernel gives to none, since two could have each other's name.
// Where nothing can give names NIC n is ethN, as the kernel calls it.
func assignNames(g system.Guest, interfaces []netconf.Interface) ([]netconf.Interface, error) {
	named := append([]netconf.Interface(nil), interfaces...)
	udev, nameif := runsUdev(g.Root), callsNameif(g.Root)
	kept := len(interfaces) == 1 && (kernelNames(g.Root) || !udev)
	var rules, table strings.Builder
	for n := range named {
		i := &named[n]
		switch {
		case !i.Configured() || kept:
		case i.MAC == "" || !udev && !nameif:
			if len(named) > 1 || udev {
				g.Warn("nothing ties NIC %d to its interface by the MAC address: it was configured as %s", i.Index, i.Name)
			}
		default:
			if len(named) > 1 {
				i.Name = fmt.Sprintf("nic%d", i.Index)
			}
			fmt.Fprintf(&rules, "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{address}==\"%s\", ATTR{type}==\"1\", NAME=\"%s\"\n", i.MAC, i.Name)
			fmt.Fprintf(&table, "%s %s\n", i.Name, i.MAC)
		}
	}
	if err := put(g, nameRules, rules.String(), udev && rules.Len() > 0); err != nil {
		return nil, err
	}
	return named, put(g, mactab, table.String(), !udev && nameif && table.Len() > 0)
}

// put writes a file of ours, or takes away that of an earlier run.
func put(g system.Guest, p, content string, wanted bool) error {
	if wanted {
		return write(g, p, []byte(netconf.Header+content), 0o644)
	}
	old, err := g.Root.ReadFile(p, rootfs.MaxConfig)
	if err != nil || !bytes.HasPrefix(old, []byte(netconf.Header)) {
		return nil // none, or not ours
	}
	return g.Root.Remove(p)
}

// namesByMAC reports whether something in the image can give an interface its name.
func namesByMAC(root *rootfs.Root) bool { return runsUdev(root) || callsNameif(root) }

func runsUdev(root *rootfs.Root) bool { return installed(root, "udevadm", "udevd", "systemd-udevd") }

// callsNameif reports whether mdev names interfaces by /etc/mactab.
func callsNameif(root *rootfs.Root) bool {
	data, err := root.ReadFile(mdevConf, maxMdevConf)
	return err == nil && bytes.Contains(data, []byte("nameif"))
}
