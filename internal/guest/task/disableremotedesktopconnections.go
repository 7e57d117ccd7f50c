package task

import (
	"context"

	"snf-image/internal/guest/windows"
	"snf-image/internal/spec"
)

// refuseRemoteDesktop has Windows refuse remote desktop connections until it is set up.
func refuseRemoteDesktop(ctx context.Context, r *Run) error {
	if err := r.prepared(); err != nil {
		return err
	}
	anew := r.willRun(spec.InstallUnattend) && (r.credentials().AnswerFile != nil || r.Plan.Boolean(spec.PropIgnoreUnattend))
	return windows.RefuseRemoteDesktop(ctx, r.guest(), r.windowsSystem(), anew)
}
