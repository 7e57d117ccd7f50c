// Package lvm reads and grows the volumes of LVM that lie on the disk of an image.
//
// It asks the tool lvm, which works here on what is written on the disk alone: it never
// speaks to the kernel. Who wants to see a volume maps its segments. The names of the
// groups are those of the image and mean nothing outside of it. The lvm.conf of the
// helper shows the tool no disk but the first.
package lvm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"snf-image/internal/command"
)

// Group is a volume group.
type Group struct {
	Name   string
	UUID   string
	Extent int64 // bytes
	// Missing is how many of its physical volumes are not there.
	Missing int
	Stores  []Store
	Volumes []Volume
}

// Store is a physical volume.
type Store struct {
	Device string
	Start  int64 // of its first extent, in bytes
	Size   int64 // bytes of all its extents
	Free   int64 // bytes that belong to no volume
}

// Volume is a logical volume.
type Volume struct {
	Name string
	Size int64
	// Refused is the type of what cannot be mapped, empty for what can: one of the
	// constants of this package, which stand for a kind of file system.
	Refused  string
	Segments []Segment
}

// Segment is a piece of a volume; the pieces follow one another.
type Segment struct {
	Length  int64
	Stripes []Stripe
	Chunk   int64 // bytes that lie on one stripe before the next one has its turn
}

// Stripe is where a segment, or a part of it, begins.
type Stripe struct {
	Device string
	Offset int64 // bytes
}

// The types of volumes that are recognized and not mapped.
const (
	Thin       = "lvm-thin"
	RAID       = "lvm-raid"
	Cached     = "lvm-cache"
	VDO        = "lvm-vdo"
	Snapshot   = "lvm-snapshot"
	Incomplete = "lvm-incomplete"
	Other      = "lvm-other"
)

// ErrNames is the error of groups that cannot be told apart.
var ErrNames = errors.New("two LVM volume groups have the same name")

// limit is what one run of the tool may take: it reads and writes a few hundred KiB.
const limit = 2 * time.Minute

// IsStore reports whether a device bears the label of a physical volume, which is in one
// of its first four sectors (lvm2 source, lib/label/label.h).
func IsStore(device string) bool {
	f, err := os.Open(device)
	if err != nil {
		return false
	}
	defer f.Close()
	const sector, label, kind = 512, "LABELONE", "LVM2 001"
	head := make([]byte, 4*sector)
	if _, err := f.ReadAt(head, 0); err != nil {
		return false
	}
	for at := 0; at < len(head); at += sector {
		if s := head[at:]; bytes.HasPrefix(s, []byte(label)) && bytes.HasPrefix(s[24:], []byte(kind)) {
			return true
		}
	}
	return false
}

// Store returns the physical volume of g that lies on a device.
func (g Group) Store(device string) (Store, bool) {
	for _, s := range g.Stores {
		if s.Device == device {
			return s, true
		}
	}
	return Store{}, false
}

// Volume returns the volume of g of that name.
func (g Group) Volume(name string) (Volume, bool) {
	for _, v := range g.Volumes {
		if v.Name == name {
			return v, true
		}
	}
	return Volume{}, false
}

// Resize makes the physical volume on a device as large as the device.
func Resize(ctx context.Context, device string) error {
	if _, err := run(ctx, "pvresize", device); err != nil {
		return fmt.Errorf("growing the LVM physical volume: %w", err)
	}
	return nil
}

// Extend grows a volume of g by bytes, a multiple of the extent that is free on a
// device.
func Extend(ctx context.Context, g Group, volume string, bytes int64, device string) error {
	_, err := run(ctx, "lvextend", "--stripes", "1", "--extents", fmt.Sprintf("+%d", bytes/g.Extent), g.Name+"/"+volume, device)
	if err != nil {
		return fmt.Errorf("growing an LVM volume: %w", err)
	}
	return nil
}

// run runs a command of lvm that speaks to no kernel and shares its disks with nobody.
func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("not done after %v", limit))
	defer cancel()
	all := append([]string{"lvm", name, "--driverloaded", "n"}, args...)
	return command.Run(ctx, command.Cmd{Args: all, Env: []string{"LVM_SUPPRESS_FD_WARNINGS=1"}})
}
