package task

import (
	"context"

	"snf-image/internal/guest/windows"
)

// refuseRemoteDesktop has Windows refuse remote desktop connections until it is set up.
func refuseRemoteDesktop(ctx context.Context, r *Run) error {
	if err := r.prepared(); err != nil {
		return err
	}
	return windows.RefuseRemoteDesktop(ctx, r.guest(), r.windowsSystem())
}
