// Package task holds the configuration tasks, one file for each, and the
// runner that works through a plan.
//
// A task changes the disk of the instance and nothing else: it touches the
// image only through Run.Root, and devices only by the paths in Run.Disks. It
// does not decorate: the runner alone reports start, end and duration.
//
// It is a little larger than other packages because all that knows a Run is here. What
// changes a guest without one has a room of its own: account, identity, network,
// personality, sandbox.
package task

import (
	"context"
	"fmt"
	"log/slog"
	"path"

	"snf-image/internal/guest/filesystem"
	"snf-image/internal/guest/lvm"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Func is the work of one task. It returns nil when the task is done, Skip(…)
// when there was nothing to do for this image, any other error when it failed.
type Func func(ctx context.Context, r *Run) error

// Run is one customization in progress: what is to be done, and what the tasks
// so far found out.
type Run struct {
	Plan        *spec.Plan
	Credentials *spec.Credentials
	Inspection  *report.Inspection
	Disks       []Disk
	// Unread is why the registry of a Windows could not be read as a whole, nil when it was.
	Unread error
	// Root is the mounted image between MountImage and UmountImage, else nil.
	Root *rootfs.Root
	// Target is the directory where the image is mounted.
	Target string
	// Resize names the volume that FixPartitionTable grew if there was room: the last
	// partition, or an LVM volume in it; empty when it did not run.
	Resize string
	// SwapPartition is the partition FixPartitionTable made for swap, 0 for none.
	SwapPartition int
	// RecoveryMoved is the partition for recovery of a Windows that FixPartitionTable moved,
	// 0 for none: Windows has to be told.
	RecoveryMoved int
	// Volumes are all partitions of all disks, disks without a table and LVM volumes, as
	// they were before the first task.
	Volumes []filesystem.Volume
	// Groups are the LVM volume groups of the first disk, as they are now.
	Groups []lvm.Group
	// GrowVolume names the volume that GROW names, empty for the default.
	GrowVolume string
	// Changed are the files that were changed in the image, filled in when it is
	// unmounted.
	Changed []string
	// Remap maps the partitions of a disk and its LVM volumes anew after its table or a
	// group was changed. It fills in Groups.
	Remap func(disk int) error
	// Load loads the kernel modules that a driver needs, or "quota".
	Load func(kind string) error
	Log  *slog.Logger
	// Emit sends an event to the host.
	Emit func(report.Event)

	checked string // the device whose file system was looked at as a whole
	// mounts are the directories of the helper where devices are mounted for writing.
	mounts   map[string]string
	grown    []filesystem.Volume // while mounted
	warnings []string
	labels   labels
	// elsewhere are the mount points of the image's fstab where nothing is mounted.
	elsewhere []string
}

// Disk is a disk of the instance as the helper sees it.
type Disk struct {
	// Path is the device of the whole disk; Path followed by N is partition N.
	Path     string
	ReadOnly bool
}

// whole returns the name of the volume that is the whole disk.
func (d Disk) whole() string { return path.Base(d.Path) }

// Volume returns the name of the volume that is partition n.
func (d Disk) Volume(n int) string { return path.Base(d.Partition(n)) }

// Partition returns the device path of partition n.
func (d Disk) Partition(n int) string { return fmt.Sprintf("%s%d", d.Path, n) }

// guest is the mounted image for the packages that change it.
func (r *Run) guest() system.Guest {
	return system.Guest{Root: r.Root, Living: r.careful(), Warn: r.Warn, Log: r.Log, Unmounted: r.unmounted}
}

// Warn adds a warning to the result of the running task.
func (r *Run) Warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// Note tells the host at once what was changed on the disk beside files: should this
// helper be killed, it is known.
func (r *Run) Note(format string, args ...any) {
	r.Emit(report.Event{Kind: report.Changed, Messages: []string{fmt.Sprintf(format, args...)}})
}

// timeLeft returns spec.ErrTimeUp when ctx has ended. It is asked between steps: none
// that changes a living disk is interrupted.
func timeLeft(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not begun: %w", spec.ErrTimeUp)
	}
	return nil
}

// Skipped and Remedied are the errors of package outcome.
type (
	Skipped  = outcome.Skipped
	Remedied = outcome.Remedied
)

// Skip returns a Skipped with that reason.
func Skip(format string, args ...any) error { return outcome.Skip(format, args...) }
