package filesystem

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in the superblock of XFS, the first sector of the device (kernel source,
// fs/xfs/libxfs/xfs_format.h, struct xfs_dsb). All numbers are big-endian.
const (
	xfsBlockSize = 4
	xfsBlocks    = 8
	xfsRealtime  = 16 // blocks of the realtime device
	xfsLogStart  = 48 // 0 with the log on another device
	xfsAGBlocks  = 84 // blocks of an allocation group
	xfsVersion   = 100
	xfsMaxPct    = 127
	xfsReadOnly  = 212 // features that keep from writing
	xfsIncompat  = 216
	xfsSuperSize = 512
	xfsMinGroup  = 64 // blocks; a smaller rest of the device is not used
)

// xfsFeatures are those of xfsIncompat, xfsReadOnlyFeatures those of xfsReadOnly.
var (
	xfsFeatures = []feature{
		{0, "ftype", ""},
		{1, "sparse inodes", ""},
		{2, "meta_uuid", ""},
		{3, "bigtime", "5.10"},
		{4, "needsrepair", ""}, // see check
		{5, "nrext64", "5.19"},
		{6, "exchange-range", "6.10"},
		{7, "parent pointers", "6.10"},
		{8, "metadir", "6.13"},
		{9, "zoned", "6.15"},
		{10, "zone gaps", "6.15"},
	}
	xfsReadOnlyFeatures = []feature{{0, "finobt", ""}, {1, "rmapbt", ""}, {2, "reflink", ""}, {3, "inobtcount", "5.10"}}
)

// xfsSuper is the superblock of an XFS file system.
type xfsSuper []byte

func (s xfsSuper) u32(at int) uint64 { return uint64(binary.BigEndian.Uint32(s[at:])) }
func (s xfsSuper) u64(at int) uint64 { return binary.BigEndian.Uint64(s[at:]) }

// readXFS returns the superblock of the file system on device, and the size of the
// device.
func readXFS(device string) (s xfsSuper, size int64, err error) {
	s = make(xfsSuper, xfsSuperSize)
	if size, err = readAt(device, s, 0); err != nil {
		return nil, 0, err
	}
	switch b := s.u32(xfsBlockSize); {
	case string(s[:4]) != "XFSB":
		return nil, 0, errors.New("no XFS file system")
	case b < 512 || b > 65536 || b&(b-1) != 0, s.u32(xfsAGBlocks) < xfsMinGroup, s.u64(xfsBlocks) == 0, s.u64(xfsBlocks) > 1<<63/b:
		return nil, 0, errors.New("the superblock contradicts itself")
	}
	return s, size, nil
}

// readAt reads b from a place of a device, and returns the size of the device.
func readAt(device string, b []byte, at int64) (size int64, err error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if size, err = f.Seek(0, 2); err != nil {
		return 0, err
	}
	_, err = f.ReadAt(b, at)
	return size, err
}

// supportsXFS is Kind.Supports.
func supportsXFS(device string) error {
	s, _, err := readXFS(device)
	if err != nil {
		return err
	}
	return s.check(kernelRelease())
}

// version returns the number of the format: 4 or 5.
func (s xfsSuper) version() uint16 { return binary.BigEndian.Uint16(s[xfsVersion:]) & 0xf }

func (s xfsSuper) check(release string) error {
	const needsRepair = 1 << 4
	switch {
	case s.u64(xfsLogStart) == 0:
		return fmt.Errorf("%w: its log", ErrExternal)
	case s.u64(xfsRealtime) != 0:
		return fmt.Errorf("%w: its realtime section", ErrExternal)
	case s.version() != 5:
		return nil // V4 has no further words of features
	case s.u32(xfsIncompat)&needsRepair != 0:
		return fmt.Errorf("it is marked as in need of repair: %w", ErrUnclean)
	}
	if err := checkFeatures(s.u32(xfsIncompat), "the incompatible features of XFS", xfsFeatures, release); err != nil {
		return err
	}
	return checkFeatures(s.u32(xfsReadOnly), "the read-only features of XFS", xfsReadOnlyFeatures, release)
}

// extentXFS is Growth.Extent.
func extentXFS(device string) (int64, error) {
	s, _, err := readXFS(device)
	if err != nil {
		return 0, err
	}
	return int64(s.u64(xfsBlocks) * s.u32(xfsBlockSize)), nil
}

// fillsXFS is Growth.Fills. Whether its log is empty cannot be seen here: mounting it
// replays the log.
func fillsXFS(device string) bool {
	s, size, err := readXFS(device)
	return err == nil && s.fit(size) <= s.u64(xfsBlocks)
}

// fit returns how many blocks the file system can have on a device of size bytes.
func (s xfsSuper) fit(size int64) uint64 {
	blocks := uint64(max(size, 0)) / s.u32(xfsBlockSize)
	if rest := blocks % s.u32(xfsAGBlocks); rest < xfsMinGroup {
		blocks -= rest
	}
	return blocks
}

// canFillXFS is Growth.CanFill: it grows as far as its blocks can be numbered, with
// allocation groups whose number has 32 bits.
func canFillXFS(device string, size int64) error {
	s, _, err := readXFS(device)
	if err != nil {
		return err
	}
	limit := s.u32(xfsAGBlocks) * (1<<32 - 2)
	if s.fit(size) <= limit {
		return nil
	}
	return &LimitError{int64(limit * s.u32(xfsBlockSize)), errors.New("its allocation groups are small, and their numbers have 32 bits")}
}

// growXFS is Growth.Mounted: the kernel adds allocation groups in one transaction.
func growXFS(device, dir string) error {
	s, size, err := readXFS(device)
	if err != nil {
		return err
	}
	const growData = 0x4010586e // XFS_IOC_FSGROWFSDATA of xfs_fs.h
	return ioctl(dir, growData, unsafe.Pointer(&struct {
		blocks uint64
		maxPct uint32
		_      uint32
	}{blocks: s.fit(size), maxPct: uint32(s[xfsMaxPct])}))
}

// ioctl asks the file system mounted on dir to do something.
func ioctl(dir string, request uintptr, arg unsafe.Pointer) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	kernel := openKernelLog()
	defer kernel.close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return kernel.explain(errno)
	}
	return nil
}

// checkXFS is Kind.Check. No repair would be safe: xfs_repair clears what
// it does not understand.
func checkXFS(ctx context.Context, device string, force bool) (repaired bool, err error) {
	if _, _, err := readXFS(device); err != nil || !force {
		return false, err
	}
	return false, verifyXFS(ctx, device)
}

// verifyXFS is Kind.Verify. It wants an empty log.
func verifyXFS(ctx context.Context, device string) error {
	return fsck(ctx, device, []string{"xfs_repair", "-n", device}, func(code int) bool { return code == 1 })
}
