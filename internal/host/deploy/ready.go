package deploy

import (
	"context"
	"log/slog"
	"slices"

	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// Ready says what would keep this node from deploying to disks, whatever the
// parameters are. It changes nothing. It is for who would ask for parameters that are
// told but once; a disk by URI is not looked at.
func Ready(ctx context.Context, req Request, disks []spec.Disk) error {
	req.Log = slog.New(slog.DiscardHandler) // the deployment warns again
	here := slices.DeleteFunc(slices.Clone(disks), func(d spec.Disk) bool { return d.Path == "" })
	req.Spec = &spec.Spec{Mode: spec.ModeCustomize, Disks: here}
	r := &run{Request: req, record: newRecord(req)}
	defer r.close()
	r.plan = r.Spec.Plan(r.planOptions())
	if err := r.openHelper(); err != nil {
		return err
	}
	return r.openDisks(ctx, target.Options{DryRun: true})
}
