package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Method is a way to make a range zero, the cheapest first. Each one proves it:
// success means that the range reads as zero, or that zeros were written.
type Method int32

// The methods. None: nothing had to be zeroed.
const (
	None Method = iota
	// PunchHole is fallocate(2) with FALLOC_FL_PUNCH_HOLE. On a device the
	// kernel sends REQ_OP_WRITE_ZEROES and never falls back to writing
	// (block/fops.c, blkdev_fallocate), so success is cheap and proof; it is
	// no discard, which would prove nothing. By NBD it is NBD_CMD_WRITE_ZEROES with
	// NBD_CMD_FLAG_FAST_ZERO.
	PunchHole
	// Offload is BLKZEROOUT, or NBD_CMD_WRITE_ZEROES: the kernel or the server
	// writes the zeros itself.
	Offload
	// Written is writing zeros.
	Written
)

// Limits of what may be done for zeros.
const (
	withoutWriting = PunchHole
	byAnyMeans     = Written
)

// String names the method as reports show it.
func (m Method) String() string {
	switch m {
	case None:
		return "none needed"
	case PunchHole:
		return "punch-hole"
	case Offload:
		return "offload"
	case Written:
		return "written"
	}
	return "unknown"
}

// MarshalText makes reports carry the name.
func (m Method) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText accepts the names String returns.
func (m *Method) UnmarshalText(b []byte) error {
	for i := None; i <= Written; i++ {
		if i.String() == string(b) {
			*m = i
			return nil
		}
	}
	return errors.New("unknown way of zeroing")
}

// ErrCostly says that a range can be made zero only by writing.
var ErrCostly = errors.New("the disk cannot make ranges zero without writing")

// zeroer zeroes ranges of one disk and remembers which methods it lacks.
type zeroer struct {
	lacks atomic.Int32 // the last method that is not supported
	used  atomic.Int32 // the costliest method used
}

// zeroStep bounds one call into the kernel, which a signal cannot end.
const zeroStep = 1 << 30

// zero makes a range zero by the cheapest method up to limit.
func (z *zeroer) zero(ctx context.Context, on medium, off, n int64, limit Method) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		step := min(n, zeroStep)
		if err := z.step(on, off, step, limit); err != nil {
			return err
		}
		off, n = off+step, n-step
	}
	return nil
}

func (z *zeroer) step(on medium, off, n int64, limit Method) error {
	for m := Method(z.lacks.Load()) + 1; m <= limit; m++ {
		err := on.makeZero(m, off, n)
		if err == nil {
			raise(&z.used, int32(m))
			return nil
		}
		if !unsupported(err) {
			return err
		}
		raise(&z.lacks, int32(m))
	}
	return ErrCostly
}

// unsupported says that a method does not exist here, as opposed to a disk
// that fails.
func unsupported(err error) bool {
	for _, e := range []error{unix.EOPNOTSUPP, unix.ENOSYS, unix.ENOTTY, unix.EINVAL, unix.ENODEV} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func zeroOut(f *os.File, off, n int64) error {
	r := [2]uint64{uint64(off), uint64(n)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKZEROOUT, uintptr(unsafe.Pointer(&r)))
	if errno != 0 {
		return errno
	}
	return nil
}

// zeros is one shared read-only buffer.
var zeros = sync.OnceValue(func() []byte { return aligned(1 << 20) })

func writeZeros(to medium, off, n int64) error {
	for n > 0 {
		b := zeros()[:min(n, 1<<20)]
		if err := to.writeAt(b, off); err != nil {
			return err
		}
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return nil
}

func retry(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// raise sets v to at least to.
func raise(v *atomic.Int32, to int32) {
	for {
		old := v.Load()
		if old >= to || v.CompareAndSwap(old, to) {
			return
		}
	}
}

// aligned returns n zero bytes that begin at a multiple of Align.
func aligned(n int) []byte {
	b := make([]byte, n+Align)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (Align - 1)
	return b[skip : skip+n : skip+n]
}

// Buffer returns a buffer of n bytes for Writer.WriteAt. It lies in huge pages
// where the kernel has them, which spares it work for each direct write. It is
// never freed.
func Buffer(n int) ([]byte, error) {
	const huge = 2 << 20
	b, err := unix.Mmap(-1, 0, n+huge, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("allocating a buffer of %d bytes: %w", n, err)
	}
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (huge - 1)
	b = b[skip : skip+n : skip+n]
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // only faster
	return b, nil
}
