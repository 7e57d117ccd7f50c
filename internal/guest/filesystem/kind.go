package filesystem

import (
	"context"
	"fmt"
	"slices"
)

// Kind is what is known of one kind of file system, or of what else a volume may hold.
// Whatever depends on the kind is a field of its row in kinds: the tasks and the agent
// ask the row.
type Kind struct {
	Name  string   // for people
	Types []string // as blkid has it
	// Instead is what to do instead, for what will not be worked on in later versions either.
	Instead string

	// Driver is the kernel's name, and that of the modules it needs; empty for what this
	// version recognizes and does not mount.
	Driver string
	// Mount mounts it where a program does that, with options of its own and flags of
	// mount(2); nil where the kernel does.
	Mount func(device, dir, options string, flags uintptr) error
	// Options are on every mount. Hasty ones come on top on a disk that counts for nothing
	// until all is done, ReadOnly ones where not a byte may change.
	Options, Hasty, ReadOnly string
	// Modules returns which further modules mounting the device for writing takes.
	Modules func(device string) []string
	// Root reports whether the root of a system may lie on it, Subvolumes whether it may
	// lie in a subvolume.
	Root, Subvolumes bool
	// Supports returns why the kernel of the helper cannot mount what is on the device, by
	// name where the kernel has but a number; nil where the kernel's own words will do.
	Supports func(device string) error

	// ReplayMounted reports whether mounting is what replays the journal; then do that
	// before Check.
	ReplayMounted bool
	// Check replays the journal and repairs what is safe to repair, and reports whether it
	// repaired anything. With force it looks at everything, also when the file system says
	// that it is clean.
	Check func(ctx context.Context, device string, force bool) (repaired bool, err error)
	// RepairBy is what a person repairs it with.
	RepairBy string
	// Verify looks at everything, changes nothing, and fails when something is wrong.
	Verify func(ctx context.Context, device string) error
	// Marked reports whether the file system is marked to be checked by its own system when
	// that starts; nil for a kind without such a mark.
	Marked func(ctx context.Context, device string) (bool, error)
	Growth
}

// Growth is how a kind of file system grows; all fields are nil for one that does not.
type Growth struct {
	// Extent returns how many bytes of its device the file system owns.
	Extent func(device string) (int64, error)
	// Fills reports whether there is nothing to check or grow: the file system is clean
	// and as large as it can be on its device.
	Fills func(device string) bool
	// CanFill returns why it cannot be grown to size bytes, a LimitError, or nil.
	CanFill func(device string, size int64) error
	// Least returns how many bytes its own tool needs for the file system at least, LeastMounted
	// does for the one that is mounted on dir. A kind that has neither does not shrink.
	Least        func(ctx context.Context, device string) (int64, error)
	LeastMounted func(ctx context.Context, dir string) (int64, error)
	// Offline grows a file system that is not mounted to the size of its device. It may
	// mount it on dir meanwhile. Check comes first, with force.
	Offline func(v Volume, dir string, careful bool) error
	// Last reports whether it grows offline when all else is done: afterwards it is marked.
	Last bool
	// Mounted grows the one on device that is mounted on dir.
	Mounted func(device, dir string) error
}

// LVM is the type of a physical volume of LVM.
const LVM = "LVM2_member"

// plainVolume is what to do instead of an LVM volume that is not mapped.
const plainVolume = "give an image whose root is a linear or striped LVM volume"

// kinds are all rows.
func kinds() []Kind { return slices.Concat(mountable(), recognized()) }

// mountable are the kinds that are mounted.
func mountable() []Kind {
	return []Kind{
		{
			Name: "ext4", Types: []string{"ext2", "ext3", "ext4"},
			Driver: "ext4", Options: noPanic, Hasty: "barrier=0", ReadOnly: "noload",
			Modules: extModules, Root: true, Check: checkExt, RepairBy: "e2fsck", Verify: verifyExt,
			Growth: Growth{Extent: extentExt, Fills: fillsExt, CanFill: canFillExt, Least: leastExt, Offline: growExt},
		},
		{
			// Disks of one image have one UUID.
			Name: "xfs", Types: []string{"xfs"}, Driver: "xfs", Options: "nouuid", ReadOnly: "norecovery", Root: true,
			Supports: supportsXFS, ReplayMounted: true, Check: checkXFS, RepairBy: "xfs_repair", Verify: verifyXFS,
			Growth: Growth{Extent: extentXFS, Fills: fillsXFS, CanFill: canFillXFS, Mounted: growXFS},
		},
		{
			Name: "btrfs", Types: []string{"btrfs"}, Driver: "btrfs", Hasty: "nobarrier", ReadOnly: "rescue=nologreplay",
			Root: true, Subvolumes: true,
			Supports: supportsBtrfs, ReplayMounted: true, Check: checkBtrfs, RepairBy: "btrfs check", Verify: verifyBtrfs,
			Growth: Growth{Extent: extentBtrfs, Fills: fillsBtrfs, CanFill: canFillBtrfs, LeastMounted: leastBtrfs, Mounted: growBtrfs},
		},
		{Name: "vfat", Types: []string{"vfat"}, Driver: "vfat", Options: "utf8"},
		{
			Name: "NTFS", Types: []string{"ntfs"}, Driver: "fuse", Mount: mountNTFS, Root: true,
			Options: "ignore_case,windows_names,permissions,norecover,streams_interface=none,nocompression,noatime",
			Check:   checkNTFS, RepairBy: "chkdsk /f", Verify: verifyNTFS, Marked: markedNTFS,
			Growth: Growth{Extent: extentNTFS, Fills: fillsNTFS, CanFill: canFillNTFS, Offline: growNTFS, Last: true},
		},
	}
}

// recognized are the kinds that are not worked on.
func recognized() []Kind {
	return []Kind{
		{Name: "jfs", Types: []string{"jfs"}},
		{Name: "reiserfs", Types: []string{"reiserfs"}},
		{Name: "f2fs", Types: []string{"f2fs"}, Instead: "give an image with the system on ext4, XFS or btrfs: the kernel of the helper has no f2fs"},
		{Name: "ZFS", Types: []string{"zfs_member"}, Instead: "give an image with the system on ext4, XFS or btrfs"},
		{Name: "bcachefs", Types: []string{"bcachefs"}, Instead: "give an image with the system on ext4, XFS or btrfs"},
		{Name: "UFS", Types: []string{"ufs"}},
		{Name: "exfat", Types: []string{"exfat"}},
		{Name: "LVM", Types: []string{LVM}},
		{Name: "a thin LVM volume", Types: []string{"lvm-thin"}, Instead: plainVolume},
		{Name: "an LVM RAID volume", Types: []string{"lvm-raid"}, Instead: plainVolume},
		{Name: "a cached LVM volume", Types: []string{"lvm-cache"}, Instead: plainVolume},
		{Name: "an LVM VDO volume", Types: []string{"lvm-vdo"}, Instead: plainVolume},
		{Name: "an LVM volume with snapshots", Types: []string{"lvm-snapshot"}, Instead: "merge or remove the snapshots of the LVM volume in the image"},
		{Name: "an LVM volume of which a part is missing", Types: []string{"lvm-incomplete"}, Instead: "give an image of one disk that holds the whole LVM volume group"},
		{Name: "an LVM volume of an unknown kind", Types: []string{"lvm-other"}, Instead: plainVolume},
		{Name: "BitLocker encryption", Types: []string{"BitLocker"}, Instead: "decrypt the volume in Windows (manage-bde -off C:), then make the image again"},
		{Name: "LUKS encryption", Types: []string{"crypto_LUKS"}, Instead: "give an image that is not encrypted"},
		{Name: "Linux software RAID", Types: []string{"linux_raid_member"}, Instead: "give an image of one disk without RAID"},
	}
}

// Kind returns the row of what v holds; without a name where that is not known.
func (v Volume) Kind() Kind {
	for _, k := range kinds() {
		if slices.Contains(k.Types, v.Type) {
			return k
		}
	}
	return Kind{}
}

// Missing returns the name to give what v holds if this version recognizes it and does
// not mount it, or "".
func (v Volume) Missing() string {
	if k := v.Kind(); k.Driver == "" {
		return k.Name
	}
	return ""
}

// Modules returns what to load kernel modules for before v is mounted for writing.
func (v Volume) Modules() []string {
	k := v.Kind()
	names := []string{k.Driver}
	if k.Modules != nil {
		names = append(names, k.Modules(v.Path)...)
	}
	return names
}

// String names v for messages.
func (v Volume) String() string {
	if v.Logical != "" {
		return fmt.Sprintf("LVM volume %s/%s", v.Group, v.Logical)
	}
	if v.Number == 0 {
		return fmt.Sprintf("disk %d", v.Disk)
	}
	if v.Subvolume != "" {
		return fmt.Sprintf("partition %d (%s)", v.Number, v.Subvolume)
	}
	return fmt.Sprintf("partition %d", v.Number)
}
