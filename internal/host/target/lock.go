package target

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

// QEMU tells other QEMUs how it uses an image file by shared locks on single
// bytes of it (QEMU, block/file-posix.c: RAW_LOCK_PERM_BASE and
// RAW_LOCK_SHARED_BASE): byte 100+i is locked by who does i, byte 200+i by who
// wants nobody else to do it. Of the i, 0 is reading, 1 writing, 3 resizing.
const (
	lockDoes    = 100
	lockForbids = 200
	lockRange   = 100 // bytes reserved for each
	doesRead    = 0
	doesWrite   = 1
	doesResize  = 3
)

// errLocked says that a lock is held by somebody else.
var errLocked = errors.New("locked")

// claim takes every lock that keeps others away from the disk.
func (d *Disk) claim(readOnly bool) error {
	if err := d.lock(readOnly); err != nil {
		return err
	}
	if d.Device || readOnly {
		return nil
	}
	if err := notSwap(d.File); err != nil {
		return failure(report.Busy, d.Path, err, "stop using it as swap")
	}
	if dev := loopBackedBy(d.File); dev != "" {
		return failure(report.Busy, d.Path, fmt.Errorf("it backs the loop device %s", dev), "detach it (losetup --detach "+dev+")")
	}
	return nil
}

// lock takes flock(2) and QEMU's lock bytes on the open file description.
func (d *Disk) lock(readOnly bool) error {
	how := unix.LOCK_EX
	if readOnly {
		how = unix.LOCK_SH
	}
	err := unix.Flock(int(d.File.Fd()), how|unix.LOCK_NB)
	switch {
	// udev holds a shared lock for a moment while it looks at a device, and
	// O_EXCL guards that one already; holding the lock keeps udev away later.
	case errors.Is(err, unix.EWOULDBLOCK) && !d.Device:
		return failure(report.Busy, d.Path, errors.New("another run of snf-image or another program has locked it"), "wait until that has ended")
	case err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !noLocks(err):
		return failure(report.Disk, d.Path, fmt.Errorf("locking it: %w", err), "")
	}
	if err := lockBytes(d.File, readOnly); errors.Is(err, errLocked) {
		return failure(report.Busy, d.Path, errors.New("a running QEMU, or another run, uses it"), "stop the instance that uses it")
	} else if err != nil && !noLocks(err) {
		return failure(report.Disk, d.Path, fmt.Errorf("locking it: %w", err), "")
	}
	return nil
}

// noLocks says that the file system knows no such locks.
func noLocks(err error) bool {
	return errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS)
}

// lockBytes behaves towards other QEMUs as one that reads and writes and
// tolerates nobody, or, read-only, as one that tolerates readers.
func lockBytes(f *os.File, readOnly bool) error {
	if !readOnly {
		return errors.Join(
			setLock(f, unix.F_WRLCK, lockDoes, lockRange),
			setLock(f, unix.F_WRLCK, lockForbids, lockRange))
	}
	for _, b := range []int64{lockDoes + doesRead, lockForbids + doesWrite, lockForbids + doesResize} {
		if err := setLock(f, unix.F_RDLCK, b, 1); err != nil {
			return err
		}
	}
	for _, b := range []int64{lockForbids + doesRead, lockDoes + doesWrite, lockDoes + doesResize} {
		if err := testLock(f, b); err != nil {
			return err
		}
	}
	return nil
}

func setLock(f *os.File, kind int16, start, length int64) error {
	l := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: start, Len: length}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	return err
}

func testLock(f *os.File, at int64) error {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return err
	}
	if l.Type != unix.F_UNLCK {
		return errLocked
	}
	return nil
}
