package task

import (
	"context"

	"snf-image/internal/guest/identity"
)

// assignHostname gives the system the name of the instance.
func assignHostname(_ context.Context, r *Run) error {
	if r.Plan.InstanceName == "" {
		return Skip("the instance has no name")
	}
	return identity.SetHostname(r.guest(), r.Plan.InstanceName)
}

// checkHostname finds out, without writing, what assignHostname would fail with.
func checkHostname(r *Run) error {
	if r.Plan.InstanceName == "" {
		return nil
	}
	return identity.CheckHostname(r.guest(), r.Plan.InstanceName)
}
