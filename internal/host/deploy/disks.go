package deploy

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/session"
	"snf-image/internal/host/target"
	"snf-image/internal/host/vm"
	"snf-image/internal/spec"
)

// disks are the open disks of a Spec, in its order.
type disks []*target.Disk

// openDisks opens the disks of s as the plan has them: the first, and one that becomes
// swap, for writing. Disks that were opened before an error are returned with it.
func openDisks(ctx context.Context, set session.Settings, s *spec.Spec, p spec.Plan, o target.Options) (disks, error) {
	var all disks
	for i, d := range s.Disks {
		opts := o
		opts.Others, opts.ReadOnly = all, p.Disks[i].ReadOnly
		opts.Size, opts.Raw = d.Size, d.Format == spec.Raw
		if i > 0 {
			opts.ImageSize = 0
		}
		if opts.ReadOnly {
			opts.Image = nil // an image may be looked at as another disk
		}
		opts.LockDir = set.Node.Dir
		disk, err := openDisk(ctx, d, opts)
		if err != nil {
			return all, err
		}
		all = append(all, disk)
	}
	return all, nil
}

// openDisk opens a disk by its path, in its format, or, where that is all there is, by its URI.
func openDisk(ctx context.Context, d spec.Disk, o target.Options) (*target.Disk, error) {
	switch {
	case d.Path != "" && d.Format == spec.Qcow2:
		return target.OpenQcow2(ctx, d.Path, o)
	case d.Path != "":
		return target.Open(d.Path, o)
	}
	return target.OpenURI(ctx, d.URI, o)
}

// vm are the disks as the helper gets them.
func (ds disks) vm(p spec.Plan) []vm.Disk {
	var all []vm.Disk
	for i, d := range ds {
		all = append(all, vm.Disk{
			File: d.File, Connect: d.Connect(), Serial: p.Disks[i].Serial, ReadOnly: p.Disks[i].ReadOnly, Direct: isDirect(d.File),
		})
	}
	return all
}

// paths are the disks for people.
func (ds disks) paths() []string {
	var all []string
	for _, d := range ds {
		all = append(all, d.Path)
	}
	return all
}

// watch ends a run whose disk is lost.
func (ds disks) watch(ctx context.Context, lost context.CancelCauseFunc) {
	for _, d := range ds {
		d.Watch(ctx, lost)
	}
}

func (ds disks) close() {
	for _, d := range ds {
		_ = d.Close()
	}
}

// isDirect reports whether f bypasses the page cache; QEMU must be told.
func isDirect(f *os.File) bool {
	if f == nil {
		return false // by URI
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_DIRECT != 0
}
