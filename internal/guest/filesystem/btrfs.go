package filesystem

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// Offsets in the superblock of btrfs (kernel source, include/uapi/linux/btrfs_tree.h,
// struct btrfs_super_block). All numbers are little-endian.
const (
	btrfsAt        = 64 << 10
	btrfsMagic     = 0x40
	btrfsDevices   = 0x88
	btrfsSector    = 0x90
	btrfsReadOnly  = 0xb4 // features that keep from writing
	btrfsIncompat  = 0xbc
	btrfsDevice    = 0xc9 // number of this device
	btrfsDeviceEnd = 0xd1 // bytes of this device that the file system owns
	btrfsSuperSize = 0x1000
)

// btrfsFeatures are those of btrfsIncompat, btrfsReadOnlyFeatures those of btrfsReadOnly.
var (
	btrfsFeatures = []feature{
		{0, "mixed backrefs", ""},
		{1, "default subvolume", ""},
		{2, "mixed block groups", ""},
		{3, "LZO", ""},
		{4, "zstd", ""},
		{5, "big metadata", ""},
		{6, "extended references", ""},
		{7, "RAID 5 and 6", ""},
		{8, "skinny metadata", ""},
		{9, "no holes", ""},
		{10, "metadata UUID", ""},
		{11, "RAID 1 of three or four", "5.5"},
		{12, "zoned", "5.12"},
		{16, "simple quotas", "6.7"},
	}
	btrfsReadOnlyFeatures = []feature{
		{0, "free space tree", ""},
		{1, "free space tree in use", ""},
		{2, "verity", "5.15"},
		{3, "block group tree", "6.1"},
	}
)

// btrfsSuper is the superblock of a btrfs file system.
type btrfsSuper []byte

func (s btrfsSuper) u64(at int) uint64 { return binary.LittleEndian.Uint64(s[at:]) }

// readBtrfs returns the superblock of the file system on device, and the size of the
// device.
func readBtrfs(device string) (s btrfsSuper, size int64, err error) {
	s = make(btrfsSuper, btrfsSuperSize)
	if size, err = readAt(device, s, btrfsAt); err != nil {
		return nil, 0, err
	}
	switch n := s.sector(); {
	case string(s[btrfsMagic:btrfsMagic+8]) != "_BHRfS_M":
		return nil, 0, errors.New("no btrfs file system")
	case n < 512 || n > 65536 || n&(n-1) != 0, s.u64(btrfsDeviceEnd) > 1<<62:
		return nil, 0, errors.New("the superblock contradicts itself")
	}
	return s, size, nil
}

func (s btrfsSuper) sector() uint64 { return uint64(binary.LittleEndian.Uint32(s[btrfsSector:])) }

// supportsBtrfs is Kind.Supports.
func supportsBtrfs(device string) error {
	s, _, err := readBtrfs(device)
	if err != nil {
		return err
	}
	return s.check(kernelRelease())
}

func (s btrfsSuper) check(release string) error {
	if n := s.u64(btrfsDevices); n != 1 {
		return fmt.Errorf("%w: it consists of %d devices", ErrExternal, n)
	}
	if err := checkFeatures(s.u64(btrfsIncompat), "the incompatible features of btrfs", btrfsFeatures, release); err != nil {
		return err
	}
	return checkFeatures(s.u64(btrfsReadOnly), "the read-only features of btrfs", btrfsReadOnlyFeatures, release)
}

// extentBtrfs is Growth.Extent.
func extentBtrfs(device string) (int64, error) {
	s, _, err := readBtrfs(device)
	if err != nil {
		return 0, err
	}
	return int64(s.u64(btrfsDeviceEnd)), nil
}

// fillsBtrfs is Growth.Fills.
func fillsBtrfs(device string) bool {
	s, size, err := readBtrfs(device)
	return err == nil && uint64(size)/s.sector()*s.sector() <= s.u64(btrfsDeviceEnd)
}

// canFillBtrfs is Growth.CanFill: it can have any size.
func canFillBtrfs(device string, _ int64) error {
	_, _, err := readBtrfs(device)
	return err
}

// growBtrfs is Growth.Mounted.
func growBtrfs(device, dir string) error {
	s, _, err := readBtrfs(device)
	if err != nil {
		return err
	}
	const resize = 0x50009403 // BTRFS_IOC_RESIZE of linux/btrfs.h
	var arg struct {
		_    int64
		name [4088]byte
	}
	copy(arg.name[:], fmt.Sprintf("%d:max", s.u64(btrfsDevice)))
	return ioctl(dir, resize, unsafe.Pointer(&arg))
}

// checkBtrfs is Kind.Check. No repair would be safe: the makers of btrfs
// warn of btrfs check --repair.
func checkBtrfs(ctx context.Context, device string, force bool) (repaired bool, err error) {
	if _, _, err := readBtrfs(device); err != nil || !force {
		return false, err
	}
	return false, verifyBtrfs(ctx, device)
}

// verifyBtrfs is Kind.Verify.
func verifyBtrfs(ctx context.Context, device string) error {
	return fsck(ctx, device, []string{"btrfs", "check", "--readonly", device}, func(code int) bool { return code == 1 })
}
