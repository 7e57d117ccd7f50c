package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// NewEnd returns a file in memory of spec.EndSize zero bytes that stands for
// one end of a disk. Nobody it is handed to can change its length.
func NewEnd(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making the %s of the disk in memory: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	err = f.Truncate(spec.EndSize)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("making the %s of the disk in memory: %w", name, bare(err))
	}
	return f, nil
}

// Commit makes the disk whole: it writes the tail, then the head but for
// sector 0, then sector 0, flushing after each. Before the last one the disk
// does not boot; after it everything is on the disk.
func Commit(d *Disk, head, tail *os.File) error {
	h, err := readEnd(head)
	if err != nil {
		return commitFailure(d, err)
	}
	t, err := readEnd(tail)
	if err != nil {
		return commitFailure(d, err)
	}
	if d.File != nil {
		// A QEMU that shared our description has released the lock bytes it knew.
		if err := d.lock(false); err != nil {
			return err
		}
	}
	to := d.medium()
	to.setDirect(false)
	if err := d.syncName(); err != nil {
		return commitFailure(d, err)
	}
	for _, p := range []piece{{d.Size - spec.EndSize, t}, {Sector, h[Sector:]}, {0, h[:Sector]}} {
		if err := writeFlushed(to, p); err != nil {
			return commitFailure(d, err)
		}
	}
	return nil
}

func (d *Disk) medium() medium {
	if d.remote != nil {
		return remote{d.remote.client}
	}
	return local{d.File, d.Device}
}

// syncName makes the name of a created file last.
func (d *Disk) syncName() error {
	if !d.Created {
		return nil
	}
	dir, err := os.Open(filepath.Dir(d.Path))
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some file systems do not flush directories.
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// blankEnds zeroes the ends by writing, the head first, and leaves O_DIRECT off.
func blankEnds(disk medium, size int64) error {
	disk.setDirect(false)
	for _, at := range []int64{0, size - spec.EndSize} {
		if err := writeZeros(disk, at, spec.EndSize); err != nil {
			return fmt.Errorf("zeroing an end of the disk: %w", err)
		}
	}
	if err := disk.flush(); err != nil {
		return fmt.Errorf("flushing the disk: %w", err)
	}
	return nil
}

func readEnd(f *os.File) ([]byte, error) {
	b := make([]byte, spec.EndSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("reading the %s of the disk kept in memory: %w", f.Name(), bare(err))
	}
	return b, nil
}

func writeFlushed(to medium, p piece) error {
	if err := to.writeAt(p.data, p.at); err != nil {
		return fmt.Errorf("writing %d bytes at %d: %w", len(p.data), p.at, err)
	}
	if err := to.flush(); err != nil {
		return fmt.Errorf("flushing the disk: %w", err)
	}
	return nil
}

func commitFailure(d *Disk, err error) error {
	return &report.Failure{
		Kind: report.Disk, What: "committing the disk", On: d.Path, Cause: err,
		Remedy: "deploy again; the disk does not boot as it is",
	}
}
