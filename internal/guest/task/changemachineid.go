package task

import (
	"context"
	"fmt"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// The files that hold the identity of a machine, machine-id(5).
const (
	machineID     = "/etc/machine-id"
	dbusMachineID = "/var/lib/dbus/machine-id"
	uninitialized = "uninitialized"
)

// changeMachineID gives the machine an identity of its own. A D-Bus file that
// is a symbolic link stays one: what it leads to is changed. A machine that has no
// id, or says so, has never been booted, and makes one at its first boot, for which
// units may wait (ConditionFirstBoot of systemd.unit(5)).
func changeMachineID(_ context.Context, r *Run) error {
	if err := checkMachineID(r); err != nil {
		return err
	}
	id := r.Plan.MachineID
	for _, p := range []string{machineID, dbusMachineID} {
		err := r.Root.Edit(p, func(old []byte) ([]byte, error) {
			if strings.TrimSpace(string(old)) == uninitialized {
				neverBooted(r, p)
				return old, nil
			}
			return []byte(id + "\n"), nil
		})
		switch {
		case rootfs.IsNotExist(err):
			noMachineID(r, p)
		case err != nil:
			return err
		}
	}
	return nil
}

// checkMachineID finds out, without writing, what changeMachineID would fail with.
func checkMachineID(r *Run) error {
	id := r.Plan.MachineID
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return fmt.Errorf("the plan's machine id %q is not 32 lower-case hexadecimal digits", id)
	}
	for _, p := range []string{machineID, dbusMachineID} {
		if err := r.Root.Editable(p); err != nil && !rootfs.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func neverBooted(r *Run, p string) {
	if p == machineID { // else a copy, or a link to it
		r.Warn("%s says that the machine was never booted: left as it is, the first boot makes an id", p)
	}
}

// noMachineID warns that a system has no identity. The D-Bus copy is missing in many
// images, whose daemon then takes the other file.
func noMachineID(r *Run, p string) {
	if p == machineID {
		r.Warn("the image has no %s: left as it is", p)
		return
	}
	r.Log.Info("the image has no D-Bus copy of the machine id: left as it is")
}
