package task

import (
	"context"
	"errors"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/outcome"
)

// mountWindows mounts the root file system of a Windows, and nothing else. What Windows
// left in its journal is brought into the file system before.
func mountWindows(ctx context.Context, r *Run) error {
	root, err := r.rootVolume()
	if err != nil {
		return err
	}
	if root.Kind().Check != nil {
		if err := r.checkVolume(ctx, root, false); err != nil {
			return err
		}
	}
	if err := r.warnMarked(ctx, root); err != nil {
		return err
	}
	return r.mountRoot(root, "/Windows/System32")
}

// warnMarked warns of a file system that Windows is going to check when it starts.
func (r *Run) warnMarked(ctx context.Context, v filesystem.Volume) error {
	marked := v.Kind().Marked
	if marked == nil {
		return nil
	}
	is, err := marked(ctx, v.Path)
	if is {
		r.Warn("the file system of %v is marked as dirty: Windows is going to check it when it starts", v)
	}
	return err
}

// What the administrator can do about an NTFS file system.
const (
	shutDown   = "start that Windows and shut it down completely: powercfg /h off, then shutdown /s /t 0"
	checkFirst = "start that Windows once, so that it checks the disk, or leave the property OFFLINE_NTFSRESIZE out"
	clearBad   = "in Windows run chkdsk /f /r, or clear the list by ntfsfix --clear-bad-sectors where the image comes from another disk, or leave the property OFFLINE_NTFSRESIZE out"
)

// ntfsAdvice adds what the administrator can do about an NTFS file system; other errors
// stay as they are.
func ntfsAdvice(err error) error {
	switch {
	case errors.Is(err, filesystem.ErrHibernated):
		return outcome.Advise(err, shutDown)
	case errors.Is(err, filesystem.ErrMarked):
		return outcome.Advise(err, checkFirst)
	case errors.Is(err, filesystem.ErrBadSectors):
		return outcome.Advise(err, clearBad)
	}
	return err
}
