package target

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/nbd"
	"snf-image/internal/report"
)

// medium is what the bytes of a disk are reached by.
type medium interface {
	// writeAt writes all of p at off.
	writeAt(p []byte, off int64) error
	// makeZero makes a range zero by that method. An error that is unsupported says
	// that there is no such method here.
	makeZero(m Method, off, n int64) error
	// flush returns when the disk has everything.
	flush() error
	// setDirect lets writes pass the page cache by, and reports whether they do now.
	setDirect(on bool) bool
}

var (
	_ medium = local{}
	_ medium = remote{}
)

// local is a disk file or a block device of this node.
type local struct {
	f      *os.File
	device bool
}

func (l local) writeAt(p []byte, off int64) error { return writeFull(l.f, p, off) }
func (l local) flush() error                      { return report.Bare(l.f.Sync()) }
func (l local) setDirect(on bool) bool            { return setDirect(l.f, on) }

func (l local) makeZero(m Method, off, n int64) error {
	switch {
	case m == PunchHole && !l.device && l.isHole(off, n):
		return nil
	case m == PunchHole:
		return retry(func() error {
			return unix.Fallocate(int(l.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
		})
	case m == Offload && l.device:
		return retry(func() error { return zeroOut(l.f, off, n) })
	case m == Offload:
		return unix.ENOTTY // files only have the other two
	}
	return writeZeros(l, off, n)
}

// isHole says that a range of a file has no data. To punch one there would be in vain
// and wait for all direct writes under way (ext4_punch_hole).
func (l local) isHole(off, n int64) bool {
	data, err := unix.Seek(int(l.f.Fd()), off, unix.SEEK_DATA)
	return errors.Is(err, unix.ENXIO) || err == nil && data >= off+n
}

// remote is a disk behind an NBD server. Whose cache its bytes pass is for the
// server to know.
type remote struct{ c *nbd.Client }

func (r remote) flush() error        { return r.c.Flush() }
func (r remote) setDirect(bool) bool { return false }

func (r remote) writeAt(p []byte, off int64) error {
	_, err := r.c.WriteAt(p, off)
	return err
}

func (r remote) makeZero(m Method, off, n int64) error {
	if m == Written {
		return writeZeros(r, off, n)
	}
	return r.c.Zero(off, n, m == PunchHole)
}

// writeFull writes all of p; a write that writes nothing is an error.
func writeFull(f *os.File, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(int(f.Fd()), p, off)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrShortWrite
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// setDirect switches O_DIRECT of the open file description, and reports whether
// it is on now. Some file systems do not have it.
func setDirect(f *os.File, on bool) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return false
	}
	want := flags &^ unix.O_DIRECT
	if on {
		want |= unix.O_DIRECT
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFL, want); err != nil {
		return false
	}
	return on
}

// sectorOf returns the logical sector size of a device.
func sectorOf(f *os.File) int {
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil {
		return Sector
	}
	return n
}
