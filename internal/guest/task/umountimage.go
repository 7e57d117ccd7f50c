package task

import (
	"context"

	"snf-image/internal/guest/filesystem"
)

// umountImage writes everything back and unmounts the image. After another
// task failed it runs too, whatever is mounted then.
func umountImage(_ context.Context, r *Run) error {
	if r.Root != nil {
		r.Changed = r.Root.Changed()
		if err := r.Root.Close(); err != nil {
			return err
		}
		r.Root = nil
	}
	return filesystem.Unmount(r.Target)
}
