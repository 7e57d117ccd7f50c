package identity

import (
	"errors"
	"fmt"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// maxHostname is the longest name Linux keeps (HOST_NAME_MAX, gethostname(2)).
const maxHostname = 64

const hostsFile = "/etc/hosts"

// SetHostname gives the system a name, whole, in the file its distribution keeps it in.
func SetHostname(g system.Guest, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(name) > maxHostname {
		g.Warn("the name %s is longer than the %d characters Linux keeps; the system will use a part of it", name, maxHostname)
	}
	distributions, old := inspect.Name(g.Root)
	file, err := findNameFile(g.Root, distributions)
	if err != nil {
		return err
	}
	if err := g.Root.Put(file.path, file.editor(name)); err != nil {
		return err
	}
	return editHosts(g.Root, distributions[0], old, name)
}

// CheckHostname finds out, without writing, what SetHostname would fail with.
func CheckHostname(g system.Guest, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	distributions, _ := inspect.Name(g.Root)
	file, err := findNameFile(g.Root, distributions)
	if err != nil {
		return err
	}
	if err := g.Root.Editable(file.path); err != nil {
		return err
	}
	return g.Root.Editable(hostsFile)
}

func checkName(name string) error {
	if strings.ContainsFunc(name, isControlOrSpace) {
		return fmt.Errorf("the instance name %q holds white space or control characters", name)
	}
	return nil
}

func isControlOrSpace(c rune) bool { return c <= ' ' || c == 0x7f }

// nameFile is the file a system reads its host name from: the name alone or, if
// variable is set, an assignment.
type nameFile struct{ path, variable string }

// editor returns the function that puts the name into the file.
func (f nameFile) editor(name string) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if f.variable == "" {
			return []byte(name + "\n"), nil
		}
		return etc.SetAssignment(old, f.variable, name), nil
	}
}

// findNameFile returns the file the distribution reads, by the first of those it is or is
// like that is known. /etc/hostname wins where it exists or systemd is the init, which reads
// it on all of them.
func findNameFile(root *rootfs.Root, distributions []string) (nameFile, error) {
	if root.Has("/etc/hostname") || inspect.Systemd(root) {
		return nameFile{"/etc/hostname", ""}, nil
	}
	for _, name := range distributions {
		if file, ok := nameFileOf(root, name); ok {
			return file, nil
		}
	}
	return nameFile{}, &outcome.Remedied{
		Err:    errors.New("found no /etc/hostname nor another file with the host name that this version knows"),
		Remedy: "set the image property EXCLUDE_TASK_ASSIGNHOSTNAME=yes if the image names itself",
	}
}

// nameFileOf returns the file that a distribution reads without systemd.
func nameFileOf(root *rootfs.Root, distribution string) (nameFile, bool) {
	switch distribution {
	case "coreos", "flatcar", "fcos":
		return nameFile{"/etc/hostname", ""}, true
	case "slackware", "suse", "sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed":
		return nameFile{"/etc/HOSTNAME", ""}, true
	case "gentoo":
		return nameFile{"/etc/conf.d/hostname", "hostname"}, true
	case "arch":
		if root.Has("/etc/rc.conf") {
			return nameFile{"/etc/rc.conf", "HOSTNAME"}, true
		}
		return nameFile{"/etc/hostname", ""}, true
	case "rhel", "centos", "fedora", "rocky", "almalinux", "ol", "amzn", "scientific":
		return nameFile{"/etc/sysconfig/network", "HOSTNAME"}, true
	}
	return nameFile{}, false
}

// editHosts makes the name resolve where the image's own name did, and takes that
// from the loopback address: it is another machine's now.
func editHosts(root *rootfs.Root, distribution, old, name string) error {
	err := root.Edit(hostsFile, func(data []byte) ([]byte, error) {
		data = etc.RenameOwnHost(data, name)
		if distribution == "arch" {
			return etc.RenameLoopback(data, old, name), nil
		}
		return etc.LeaveLoopback(data, old, name), nil
	})
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}
