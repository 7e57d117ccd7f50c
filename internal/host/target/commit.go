package target

import (
	"context"
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
		return nil, fmt.Errorf("making the %s of the disk in memory: %w", name, report.Bare(err))
	}
	return f, nil
}

// Commit makes the disk whole: it writes the tail, then the head but for
// sector 0, then sector 0, flushing after each. Before the last one the disk
// does not boot; after it everything is on the disk. It is too short to be left in
// the middle when ctx ends, but storage that hangs ends it some seconds later.
func Commit(ctx context.Context, d *Disk, head, tail *os.File) error {
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
	defer d.bound(ctx)()
	if err := d.syncName(); err != nil {
		return commitFailure(d, err)
	}
	return d.commit(ctx, d.medium(), h, t)
}

// commit writes the ends. Should sector 0 be on the disk for all the error that came
// of it, it is taken back.
func (d *Disk) commit(ctx context.Context, to medium, h, t []byte) error {
	to.setDirect(false)
	for _, p := range []piece{{d.Size - spec.EndSize, t}, {Sector, h[Sector:]}} {
		if err := writeFlushed(to, p); err != nil {
			return commitFailure(d, because(ctx, err))
		}
	}
	err := writeFlushed(to, piece{0, h[:Sector]})
	if err == nil {
		return nil
	}
	f := commitFailure(d, because(ctx, err))
	if err := writeFlushed(to, piece{0, make([]byte, Sector)}); err != nil {
		f.Remedy = "zero its first MiB before it is used: it may boot, and cannot be reached now"
	}
	return f
}

// because adds the end of ctx to an error that came after it.
func because(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w, and %w", err, context.Cause(ctx))
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

// blankEnds zeroes the ends by writing, the head first, and leaves O_DIRECT off. It writes
// also where a new file has nothing: the commit needs that room, when none may be left.
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
		return nil, fmt.Errorf("reading the %s of the disk kept in memory: %w", f.Name(), report.Bare(err))
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

func commitFailure(d *Disk, err error) *report.Failure {
	return &report.Failure{
		Kind: report.Disk, What: "committing the disk", On: d.Path, Cause: err,
		Remedy: "deploy again; the disk does not boot as it is",
	}
}
