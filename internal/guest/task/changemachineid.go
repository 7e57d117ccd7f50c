package task

import (
	"context"

	"snf-image/internal/guest/identity"
)

// changeMachineID gives the machine an identity of its own, and takes that of the image's.
func changeMachineID(_ context.Context, r *Run) error {
	if err := identity.SetMachineID(r.guest(), r.Plan.MachineID); err != nil {
		return err
	}
	return identity.RemoveTraces(r.guest(), r.Plan.MachineID)
}

// checkMachineID finds out, without writing, what changeMachineID would fail with.
func checkMachineID(r *Run) error {
	return identity.CheckMachineID(r.guest(), r.Plan.MachineID)
}
