// Package inspect finds out which operating system a mounted image holds.
//
// It reads a few small files through rootfs and changes nothing. What it can
// not read it leaves out with a warning; a hostile image gets no error out of
// it and no wait.
package inspect

import (
	"slices"
	"strings"

	"snf-image/internal/guest/account"
	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/network"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/selinux"
	"snf-image/internal/guest/sshd"
)

// maxSmall bounds files of a few lines, in bytes.
const maxSmall = 64 << 10

// System is what is known about the operating system of an image.
type System struct {
	// Family is one of the families, or empty when the tree is not a system of this
	// version.
	Family string
	// Distribution, Version and Pretty are ID, VERSION_ID and PRETTY_NAME of
	// os-release(5); for older systems what their marker files say.
	Distribution string
	Version      string
	Pretty       string
	Hostname     string
	// Init names the program that starts the system, empty if unknown.
	Init string
	// CloudInit is what the image has of cloud-init.
	CloudInit cloudinit.Image
	// Network names the system that configures the network, empty if unknown, and
	// NetworkReason what shows that.
	Network, NetworkReason string
	// Accounts are those somebody could log in to, and root.
	Accounts []account.State
	// HostKeyTypes are the types of SSH host key the image's server would use
	// and we can make; empty without an SSH server.
	HostKeyTypes []string
	// SELinux is what the system says about SELinux, and Labelled reports whether its files
	// have labels.
	SELinux  selinux.State
	Labelled bool
	// NT is what there is to know of a Windows, nil for other systems.
	NT *NT
	// Names are the names of its users.
	Names    []string
	Warnings []string
}

// Look examines the image in root on a day since the epoch.
func Look(root *rootfs.Root, today int64) System {
	s := System{Family: family(root)}
	if s.Family == Windows || s.Family == WindowsLegacy {
		s.lookWindows(root)
		return s
	}
	s.Distribution, s.Version, s.Pretty = release(root)
	s.Hostname = hostname(root)
	s.Init, s.CloudInit = initSystem(root), cloudinit.Look(root)
	s.Network, s.NetworkReason = network.Detect(root)
	server, err := sshd.Read(root)
	s.warn(err)
	accounts, err := accounts(root, today)
	s.warn(err)
	s.Accounts = accounts
	s.HostKeyTypes = server.Types()
	s.SELinux, err = selinux.Look(root)
	s.warn(err)
	s.Labelled = root.Labelled("/etc") != ""
	return s
}

// Name returns the distribution, those that it says it is like, the nearest first, and the
// host name that the system gives itself.
func Name(root *rootfs.Root) (distributions []string, host string) {
	id, _, _ := release(root)
	return append([]string{id}, like(root)...), hostname(root)
}

// Systemd reports whether systemd is the init of the image.
func Systemd(root *rootfs.Root) bool {
	return root.IsRegular("/usr/lib/systemd/systemd") || root.IsRegular("/lib/systemd/systemd")
}

// warn keeps an error as a warning, unless it says that nothing is there.
func (s *System) warn(err error) {
	if err != nil && !rootfs.IsNotExist(err) {
		s.Warnings = append(s.Warnings, err.Error())
	}
}

// release returns ID, VERSION_ID and PRETTY_NAME.
func release(root *rootfs.Root) (id, version, pretty string) {
	v := osRelease(root)
	if v == nil {
		return markers(root)
	}
	id = v["ID"]
	if id == "" {
		id = "linux" // the default of os-release(5)
	}
	return id, v["VERSION_ID"], v["PRETTY_NAME"]
}

// osRelease returns the assignments of os-release(5), nil if there is no such file.
func osRelease(root *rootfs.Root) map[string]string {
	for _, p := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, err := root.ReadFile(p, maxSmall); err == nil {
			return etc.ParseAssignments(data)
		}
	}
	return nil
}

// like returns ID_LIKE: the distributions whose ways this one has, the nearest first.
func like(root *rootfs.Root) []string { return strings.Fields(osRelease(root)["ID_LIKE"]) }

// markers knows systems that are older than os-release.
func markers(root *rootfs.Root) (id, version, pretty string) {
	for _, m := range []struct{ path, id string }{
		{"/etc/debian_version", "debian"},
		{"/etc/fedora-release", "fedora"},
		{"/etc/centos-release", "centos"},
		{"/etc/redhat-release", "rhel"},
		{"/etc/SuSE-release", "suse"},
		{"/etc/gentoo-release", "gentoo"},
		{"/etc/slackware-version", "slackware"},
		{"/etc/alpine-release", "alpine"},
		{"/etc/arch-release", "arch"},
	} {
		data, err := root.ReadFile(m.path, maxSmall)
		if err != nil {
			continue
		}
		line := firstLine(data)
		if m.id == "debian" || m.id == "alpine" {
			return m.id, line, strings.TrimSpace(m.id + " " + line)
		}
		return m.id, "", line
	}
	return "", "", ""
}

func firstLine(data []byte) string {
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}

// hostname returns the name the system gives itself, by any of the files that
// hold it.
func hostname(root *rootfs.Root) string {
	for _, p := range []string{"/etc/hostname", "/etc/HOSTNAME"} {
		data, err := root.ReadFile(p, maxSmall)
		if err != nil {
			continue
		}
		for _, line := range etc.SplitLines(data) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				return line
			}
		}
	}
	for _, f := range []struct{ path, variable string }{
		{"/etc/sysconfig/network", "HOSTNAME"}, {"/etc/conf.d/hostname", "hostname"}, {"/etc/rc.conf", "HOSTNAME"},
	} {
		if data, err := root.ReadFile(f.path, maxSmall); err == nil {
			if name := etc.ParseAssignments(data)[f.variable]; name != "" {
				return name
			}
		}
	}
	return ""
}

// accounts returns root and those who have a shell and either a password or keys.
func accounts(root *rootfs.Root, today int64) ([]account.State, error) {
	states, err := account.States(root, today, func(u etc.User) bool { return u.Name == "root" || account.HasShell(u) })
	return slices.DeleteFunc(states, func(s account.State) bool {
		return s.Name != "root" && s.Password != account.Set && s.Password != account.Empty && !s.Keys
	}), err
}
