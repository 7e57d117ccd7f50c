package task

import (
	"context"

	"snf-image/internal/guest/identity"
	"snf-image/internal/spec"
)

// deleteSSHKeys replaces the SSH host keys that the image came with.
func deleteSSHKeys(_ context.Context, r *Run) error {
	if r.Plan.CloudInit {
		return hostKeysByCloudInit(r)
	}
	return identity.ReplaceHostKeys(r.guest(), r.hostKeys())
}

// checkHostKeys finds out, without writing, what deleteSSHKeys would fail with.
func checkHostKeys(r *Run) error { return identity.CheckHostKeys(r.guest(), r.hostKeys()) }

func (r *Run) hostKeys() []spec.HostKey {
	if r.Credentials == nil {
		return nil
	}
	return r.Credentials.HostKeys
}
