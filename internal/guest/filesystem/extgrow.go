package filesystem

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resizeFS is EXT4_IOC_RESIZE_FS of linux/ext4.h: the size wanted, in blocks.
const resizeFS = 0x40086610

// Why a file system cannot become as large as its device.
var (
	errNumbers = errors.New("its block numbers have 32 bits")
	errInodes  = errors.New("it would have more inodes than can be numbered")
	errSparse2 = errors.New("the kernel does not grow a file system with the feature sparse_super2")
)

// LimitError is the error of a file system that cannot grow as far as it should.
type LimitError struct {
	Limit int64 // bytes, the largest size it can have
	Why   error
}

// Error names the largest size.
func (e *LimitError) Error() string {
	return fmt.Sprintf("it can have %d bytes at most: %v", e.Limit, e.Why)
}

// Unwrap returns why.
func (e *LimitError) Unwrap() error { return e.Why }

// canFillExt is Growth.CanFill.
func canFillExt(device string, size int64) error {
	s, _, err := readSuper(device)
	if err != nil {
		return err
	}
	limit, why := s.limit()
	if s.fit(uint64(max(size, 0))>>s.shift()) <= max(limit, s.blocks()) {
		return nil
	}
	return &LimitError{int64(max(limit, s.blocks()) << s.shift()), why}
}

// fillsExt is Growth.Fills.
func fillsExt(device string) bool {
	s, size, err := readSuper(device)
	if err != nil || !s.isClean() {
		return false
	}
	room := uint64(size) >> s.shift()
	return s.fit(room) <= s.blocks() && s.blocks() <= room
}

// extentExt is Growth.Extent.
func extentExt(device string) (int64, error) {
	s, _, err := readSuper(device)
	if err != nil {
		return 0, err
	}
	return int64(s.blocks() << s.shift()), nil
}

// shift is the binary logarithm of the size of a block.
func (s super) shift() uint64 { return 10 + s.u32(superLogSize) }

// limit returns the largest number of blocks, and why there are no more.
func (s super) limit() (uint64, error) {
	if s.has(superCompat, featureSparse2) {
		return s.blocks(), errSparse2
	}
	const numbers = 1<<32 - 1
	limit, why := s.u32(superFirst)+numbers/s.u32(superInodes)*s.u32(superPerGroup), errInodes
	if !s.has(superFeatures, feature64Bit) && limit > numbers {
		limit, why = numbers, errNumbers
	}
	return s.fit(limit), why
}

// fit returns how many of that many blocks a file system can use, as mke2fs and
// resize2fs have it: whole pages and clusters, and not the rest behind the last group if
// that is hardly larger than what a group needs for itself.
func (s super) fit(blocks uint64) uint64 {
	const page = 12 // binary logarithm
	unit := max(s.u32(superCluster)+10, page) - s.shift()
	blocks = blocks >> unit << unit
	first, per := s.u32(superFirst), s.u32(superPerGroup)
	if blocks <= first+per {
		return blocks
	}
	groups, rest := (blocks-first)/per, (blocks-first)%per
	const worth = 50 // blocks of data, as for mke2fs
	if rest < s.overhead(groups)+worth {
		return blocks - rest
	}
	return blocks
}

// overhead returns how many blocks a group needs for itself.
func (s super) overhead(group uint64) uint64 {
	inode := uint64(128)
	if s.u32(superRevision) > 0 {
		inode = s.u16(superInode)
	}
	need := 2 + (s.u32(superInodes)*inode)>>s.shift() + 1
	if !s.has(superReadOnly, featureSparse) || power(group, 3) || power(group, 5) || power(group, 7) {
		need += 1 + s.u16(superReserved) + s.descriptors(group+1)
	}
	return need
}

// descriptors returns how many blocks the descriptors of that many groups take in
// each copy.
func (s super) descriptors(groups uint64) uint64 {
	if s.has(superFeatures, featureMetaBG) {
		return 1
	}
	size := uint64(32)
	if s.has(superFeatures, feature64Bit) {
		size = max(size, s.u16(superDescSize))
	}
	return (groups*size)>>s.shift() + 1
}

// power reports whether n is a power of base.
func power(n, base uint64) bool {
	for n > 1 && n%base == 0 {
		n /= base
	}
	return n == 1
}

// growExt is Growth.Offline. The file system is mounted on dir meanwhile: the kernel adds
// group by group, each with a transaction of the journal, so that the file system is sound
// whatever happens. resize2fs, which works on one that is not mounted, is not as safe:
// interrupted, or given up half-way, it leaves damage.
func growExt(v Volume, dir string, careful bool) error {
	if err := mountAndGrow(v, dir, careful); err != nil {
		return fmt.Errorf("growing the file system on %s: %w", v.Path, err)
	}
	if !fillsExt(v.Path) {
		size, _ := extentExt(v.Path)
		return fmt.Errorf("growing the file system on %s: it has %d bytes, not all of the partition", v.Path, size)
	}
	return nil
}

func mountAndGrow(v Volume, dir string, careful bool) error {
	s, size, err := readSuper(v.Path)
	if err != nil {
		return err
	}
	if err := canFillExt(v.Path, size); err != nil {
		return err
	}
	if err := Mount(v, dir, careful); err != nil {
		return err
	}
	kernel := openKernelLog()
	defer kernel.close()
	err = kernel.explain(resize(dir, s.fit(uint64(size)>>s.shift())))
	return errors.Join(err, Unmount(dir))
}

// resize asks the kernel for that many blocks.
func resize(dir string, blocks uint64) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), resizeFS, uintptr(unsafe.Pointer(&blocks)))
	if errno != 0 {
		return errno
	}
	return nil
}
