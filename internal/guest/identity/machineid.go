package identity

import (
	"fmt"
	"strings"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// The files that hold the identity of a machine, machine-id(5).
const (
	machineID     = "/etc/machine-id"
	dbusMachineID = "/var/lib/dbus/machine-id"
	uninitialized = "uninitialized"
)

// SetMachineID gives the machine an identity of its own. A D-Bus file that
// is a symbolic link stays one: what it leads to is changed. A machine that has no
// id, or says so, has never been booted, and makes one at its first boot, for which
// units may wait (ConditionFirstBoot of systemd.unit(5)).
func SetMachineID(g system.Guest, id string) error {
	if err := CheckMachineID(g, id); err != nil {
		return err
	}
	for _, p := range []string{machineID, dbusMachineID} {
		err := g.Root.Edit(p, func(old []byte) ([]byte, error) {
			if strings.TrimSpace(string(old)) == uninitialized {
				neverBooted(g, p)
				return old, nil
			}
			return []byte(id + "\n"), nil
		})
		switch {
		case rootfs.IsNotExist(err):
			noMachineID(g, p)
		case err != nil:
			return err
		}
	}
	return nil
}

// CheckMachineID finds out, without writing, what SetMachineID and RemoveTraces would fail with.
func CheckMachineID(g system.Guest, id string) error {
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return fmt.Errorf("the plan's machine id %q is not 32 lower-case hexadecimal digits", id)
	}
	for _, p := range []string{machineID, dbusMachineID, iscsiName, nvmeNQN, nvmeID} {
		if err := g.Root.Editable(p); err != nil && !rootfs.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func neverBooted(g system.Guest, p string) {
	if p == machineID { // else a copy, or a link to it
		g.Warn("%s says that the machine was never booted: left as it is, the first boot makes an id", p)
	}
}

// noMachineID warns that a system has no identity. The D-Bus copy is missing in many
// images, whose daemon then takes the other file.
func noMachineID(g system.Guest, p string) {
	if p == machineID {
		g.Warn("the image has no %s: left as it is", p)
		return
	}
	g.Log.Info("the image has no D-Bus copy of the machine id: left as it is")
}
