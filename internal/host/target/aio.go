package target

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// parallel is a disk file with direct writes that go on side by side. In write(2) a
// file system holds the file's lock from allocating blocks until the data is on the
// disk, so that such writes come one after the other; io_submit(2) gives the lock
// back as soon as the data is on its way.
type parallel struct {
	local
	idle chan aioContext // for the next writes
}

var _ medium = parallel{}

// maxIdle is how many contexts are kept: as many as there are writers.
const maxIdle = 16

func newParallel(l local) parallel { return parallel{l, make(chan aioContext, maxIdle)} }

func (p parallel) writeAt(b []byte, off int64) error {
	for len(b) > 0 {
		n, err := p.write(b, off)
		if err != nil {
			// Not all file systems and sandboxes have it, and there are only so many
			// contexts (fs.aio-max-nr); an error of the disk comes again here.
			return p.local.writeAt(b, off)
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// write writes some of b.
func (p parallel) write(b []byte, off int64) (int, error) {
	var c aioContext
	var err error
	select {
	case c = <-p.idle:
	default:
		if c, err = newAIOContext(); err != nil {
			return 0, err
		}
	}
	n, err := c.write(int(p.f.Fd()), b, off)
	if err == nil {
		select {
		case p.idle <- c:
			return n, nil
		default:
		}
	}
	c.destroy()
	return n, err
}

// aioContext has room for one operation (io_setup(2)).
type aioContext uintptr

// iocb and ioEvent are those of linux/aio_abi.h, on little-endian machines.
type iocb struct {
	_      [2]uint64 // aio_data, aio_key, aio_rw_flags
	opcode uint16
	_      int16 // aio_reqprio
	fd     uint32
	buf, n uint64
	off    int64
	_      [2]uint64 // aio_reserved2, aio_flags, aio_resfd
}

type ioEvent struct {
	_   [2]uint64 // data, obj
	res int64
	_   int64 // res2
}

const cmdPwrite = 1 // IOCB_CMD_PWRITE

func newAIOContext() (aioContext, error) {
	var c aioContext
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&c)), 0)
	if errno != 0 {
		return 0, errno
	}
	return c, nil
}

func (c aioContext) destroy() { _, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, uintptr(c), 0, 0) }

// write submits a write of b and waits for its end.
func (c aioContext) write(fd int, b []byte, off int64) (int, error) {
	// The kernel writes from b until its event comes; Go's heap does not move.
	op := &iocb{opcode: cmdPwrite, fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), n: uint64(len(b)), off: off}
	err := retry(func() error {
		_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, uintptr(c), 1, uintptr(unsafe.Pointer(&op)))
		return number(errno)
	})
	if err != nil {
		return 0, err
	}
	var done ioEvent
	err = retry(func() error {
		_, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, uintptr(c), 1, 1, uintptr(unsafe.Pointer(&done)), 0, 0)
		return number(errno)
	})
	runtime.KeepAlive(b)
	switch {
	case err != nil:
		return 0, err
	case done.res < 0:
		return 0, unix.Errno(-done.res)
	case done.res == 0:
		return 0, errors.New("nothing was written")
	}
	return int(done.res), nil
}

// number returns nil for the number of no error.
func number(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
