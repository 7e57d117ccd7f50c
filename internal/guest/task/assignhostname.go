package task

import (
	"context"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/identity"
	"snf-image/internal/guest/windows"
)

// assignHostname gives the system the name of the instance.
func assignHostname(_ context.Context, r *Run) error {
	if r.Plan.InstanceName == "" {
		return Skip("the instance has no name")
	}
	if r.Plan.CloudInit {
		return hostnameByCloudInit(r)
	}
	if err := identity.SetHostname(r.guest(), r.Plan.InstanceName); err != nil {
		return err
	}
	return cloudinit.Rename(r.guest(), r.Plan.InstanceName)
}

// nameWindows gives Windows the name of the instance: its first label.
func nameWindows(_ context.Context, r *Run) error {
	if r.Plan.InstanceName == "" {
		return Skip("the instance has no name")
	}
	return windows.SetName(r.guest(), r.windowsSystem(), r.Plan.InstanceName)
}

// nameLegacy is nameWindows before NT 6.
func nameLegacy(_ context.Context, r *Run) error {
	if r.Plan.InstanceName == "" {
		return Skip("the instance has no name")
	}
	return windows.SetNameLegacy(r.guest(), r.Plan.InstanceName)
}

// checkHostname finds out, without writing, what assignHostname would fail with.
func checkHostname(r *Run) error {
	if r.Plan.InstanceName == "" || r.Plan.CloudInit {
		return nil
	}
	return identity.CheckHostname(r.guest(), r.Plan.InstanceName)
}
