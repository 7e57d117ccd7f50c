package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// traces are files by which two machines of one image would be taken for one, or have the
// same secrets: each is made anew when it is missing. Not every system has a directory of
// each.
var traces = []string{
	// Random numbers that are carried over a reboot: systemd, also of its boot loader,
	// Debian's and OpenRC's init scripts, seedrng(8), Red Hat before systemd and Void,
	// Slackware.
	"/var/lib/systemd/random-seed", "/boot/loader/random-seed", "/efi/loader/random-seed", "/boot/efi/loader/random-seed",
	"/var/lib/urandom/random-seed", "/var/lib/misc/random-seed", "/var/lib/seedrng/seed.*", "/var/lib/random-seed", "/etc/random-seed",
	// Leases and DUIDs of DHCP clients: dhclient, dhcpcd, systemd-networkd, NetworkManager
	// with the secret that its addresses are made of, wicked, dibbler, ConnMan, which keeps
	// them with what it was told of an interface, by its MAC address.
	"/var/lib/dhcp/*.leases", "/var/lib/dhcp3/*.leases", "/var/lib/dhclient/*.lease", "/var/lib/dhclient/*.leases",
	"/var/lib/dhcpcd/*.lease", "/var/lib/dhcpcd/*.lease6", "/var/lib/dhcpcd/duid", "/var/lib/dhcpcd/secret",
	"/var/db/dhcpcd/*.lease", "/var/db/dhcpcd/*.lease6", "/var/db/dhcpcd/duid", "/var/db/dhcpcd/secret", "/etc/dhcpcd.duid", "/etc/dhcpcd.secret",
	"/var/lib/systemd/network/*.lease", "/var/lib/systemd/network/dhcp-*",
	"/var/lib/NetworkManager/*.lease", "/var/lib/NetworkManager/secret_key", "/var/lib/NetworkManager/timestamps", "/var/lib/NetworkManager/seen-bssids",
	"/var/lib/wicked/duid.xml", "/var/lib/wicked/iaid.xml", "/var/lib/wicked/lease-*.xml",
	"/var/lib/dibbler/client-duid", "/var/lib/dibbler/client-AddrMgr.xml",
	"/var/lib/connman/ethernet_*_cable/settings", "/var/lib/connman/ethernet_*_cable/data",
	// The name and the key of Salt's minion, which it makes of the host name, and yum's number.
	"/etc/salt/minion_id", "/etc/salt/pki/minion/minion.pem", "/etc/salt/pki/minion/minion.pub", "/var/lib/yum/uuid",
}

// credentialSecret is the key of credentials that systemd keeps encrypted, systemd-creds(1).
const credentialSecret = "/var/lib/systemd/credential.secret"

// RemoveTraces removes what the image's own machine left of its identity: random seeds, and
// leases and DUIDs of its DHCP clients. What is made only once is made anew, of the machine's
// id; what others know the image's own machine by is told.
func RemoveTraces(g system.Guest, id string) error {
	tellRegistered(g)
	if err := renewInitiators(g, id); err != nil {
		return err
	}
	patterns := traces
	if !g.Living && !hasEncrypted(g.Root) {
		patterns = append(patterns[:len(patterns):len(patterns)], credentialSecret)
	}
	for _, pattern := range patterns {
		found, err := g.Root.Glob(pattern)
		if err != nil {
			g.Warn("what identifies the image's own machine was left: %v", err)
			continue
		}
		for _, p := range found {
			if err := removeTrace(g, p); err != nil {
				return fmt.Errorf("removing what identifies the image's own machine: %w", err)
			}
		}
	}
	return nil
}

// removeTrace removes a file. A directory that an account without privileges has a say in is
// left, as is anything but a file, and one that its attributes protect.
func removeTrace(g system.Guest, p string) error {
	st, err := g.Root.Lstat(p)
	if err != nil || !st.Mode().IsRegular() {
		return nil
	}
	err = g.Root.Remove(p)
	if _, unsafe := errors.AsType[*rootfs.UnsafeError](err); unsafe || errors.Is(err, fs.ErrPermission) {
		g.Warn("%s of the image's own machine was left: %v", p, err)
		return nil
	}
	if err == nil {
		g.Log.Info("removed, since it is the image's own machine's", "file", p)
	}
	return err
}

// hasEncrypted reports whether the image has credentials that nobody can read without the
// secret: in the directories for them, or in a unit (systemd.exec(5)).
func hasEncrypted(root *rootfs.Root) bool {
	for _, dir := range []string{"/etc/credstore.encrypted", "/usr/lib/credstore.encrypted", "/usr/local/lib/credstore.encrypted"} {
		if names, err := root.ReadDir(dir); err == nil && len(names) > 0 {
			return true
		}
	}
	for _, pattern := range []string{"/etc/systemd/system/*.service", "/etc/systemd/system/*.d/*.conf", "/usr/local/lib/systemd/system/*.service"} {
		units, err := root.Glob(pattern)
		if err != nil || len(units) > maxUnits {
			return true // it cannot be told
		}
		for _, p := range units {
			if data, err := root.ReadFile(p, maxUnit); err == nil && bytes.Contains(data, []byte("CredentialEncrypted=")) {
				return true
			}
		}
	}
	return false
}

// Bounds of the units that are looked at: how many, and bytes of each.
const (
	maxUnits = 1000
	maxUnit  = 256 << 10
)
