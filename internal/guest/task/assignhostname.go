package task

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/rootfs"
)

// maxHostname is the longest name Linux keeps (HOST_NAME_MAX, gethostname(2)).
const maxHostname = 64

// assignHostname gives the system the name of the instance, whole, in the file
// its distribution keeps it in.
func assignHostname(_ context.Context, r *Run) error {
	name := r.Plan.InstanceName
	if name == "" {
		return Skip("the instance has no name")
	}
	if strings.ContainsFunc(name, isControlOrSpace) {
		return fmt.Errorf("the instance name %q holds white space or control characters", name)
	}
	if len(name) > maxHostname {
		r.Warn("the name %s is longer than the %d characters Linux keeps; the system will use a part of it", name, maxHostname)
	}
	distribution, old := inspect.Name(r.Root)
	if err := writeHostname(r.Root, distribution, name); err != nil {
		return err
	}
	return editHosts(r.Root, distribution, old, name)
}

func isControlOrSpace(c rune) bool { return c <= ' ' || c == 0x7f }

// writeHostname writes the name where the distribution reads it. /etc/hostname
// wins where it exists or systemd is the init, which reads it on all of them.
func writeHostname(root *rootfs.Root, distribution, name string) error {
	whole := func([]byte) ([]byte, error) { return []byte(name + "\n"), nil }
	variable := func(key string) func([]byte) ([]byte, error) {
		return func(old []byte) ([]byte, error) { return rootfs.SetAssignment(old, key, name), nil }
	}
	if present(root, "/etc/hostname") || inspect.Systemd(root) {
		return edit(root, "/etc/hostname", whole)
	}
	switch distribution {
	case "coreos", "flatcar", "fcos":
		return root.WriteFile("/etc/hostname", []byte(name+"\n"), rootfs.Attr{Mode: 0o644})
	case "slackware", "suse", "sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed":
		return edit(root, "/etc/HOSTNAME", whole)
	case "gentoo":
		return edit(root, "/etc/conf.d/hostname", variable("hostname"))
	case "arch":
		if present(root, "/etc/rc.conf") {
			return edit(root, "/etc/rc.conf", variable("HOSTNAME"))
		}
		return root.WriteFile("/etc/hostname", []byte(name+"\n"), rootfs.Attr{Mode: 0o644})
	case "rhel", "centos", "fedora", "rocky", "almalinux", "ol", "scientific":
		return edit(root, "/etc/sysconfig/network", variable("HOSTNAME"))
	}
	return &Remedied{
		Err:    errors.New("found no /etc/hostname nor another file with the host name that this version knows"),
		Remedy: "set the image property EXCLUDE_TASK_ASSIGNHOSTNAME=yes if the image names itself",
	}
}

// present says whether anything, also a broken link, is at p.
func present(root *rootfs.Root, p string) bool {
	_, err := root.Lstat(p)
	return err == nil
}

// edit changes the file p, which it makes if it does not exist. A link to
// nothing is replaced.
func edit(root *rootfs.Root, p string, change func([]byte) ([]byte, error)) error {
	err := root.Edit(p, change)
	if !rootfs.IsNotExist(err) {
		return err
	}
	data, err := change(nil)
	if err != nil {
		return err
	}
	return root.WriteFile(p, data, rootfs.Attr{Mode: 0o644})
}

// editHosts makes the name resolve where the image's own name did, and takes that
// from the loopback address: it is another machine's now.
func editHosts(root *rootfs.Root, distribution, old, name string) error {
	err := root.Edit("/etc/hosts", func(data []byte) ([]byte, error) {
		data = rootfs.RenameOwnHost(data, name)
		if distribution == "arch" {
			return rootfs.RenameLoopback(data, old, name), nil
		}
		return rootfs.LeaveLoopback(data, old, name), nil
	})
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}
