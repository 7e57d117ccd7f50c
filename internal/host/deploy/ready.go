package deploy

import (
	"context"
	"log/slog"
	"slices"

	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/spec"
)

// Ready returns what would keep this node from deploying to disks, whatever the
// parameters are. It changes nothing. Call it before fetching parameters the server
// sends only once. A disk by URI is not examined.
func Ready(ctx context.Context, set session.Settings, all []spec.Disk) error {
	set.Log = slog.New(slog.DiscardHandler) // the deployment warns again
	s, err := session.Open(set.Quiet(nil))
	if err != nil {
		return err
	}
	defer s.Close()
	here := slices.DeleteFunc(slices.Clone(all), func(d spec.Disk) bool { return d.Path == "" })
	sp := &spec.Spec{Mode: spec.ModeCustomize, Disks: here}
	disks, err := openDisks(ctx, set, sp, session.NewPlan(sp, set.Config), target.Options{DryRun: true, Existing: true})
	disks.close()
	return err
}
