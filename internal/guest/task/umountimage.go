package task

import (
	"context"
	"errors"

	"snf-image/internal/guest/filesystem"
)

// umountImage writes everything back and unmounts the image. After another
// task failed it runs too, whatever is mounted then.
func umountImage(ctx context.Context, r *Run) error {
	var err error
	if r.Root != nil {
		err = finishLabels(ctx, r)
		r.Changed = r.Root.Changed()
		err = errors.Join(err, r.Root.Close())
		r.Root = nil
	}
	r.mounts = nil
	if err = errors.Join(err, filesystem.Unmount(r.Target)); err != nil {
		return err
	}
	return r.verifyGrown(ctx)
}
