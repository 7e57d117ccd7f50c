package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/format"
	"snf-image/internal/report"
)

// openExisting opens a disk that is there. A device that will be written is
// opened O_EXCL: the kernel then refuses it while it, or a partition of it, is
// mounted, used by LVM, RAID or device-mapper, or opened so by somebody else.
func openExisting(path string, device, readOnly bool) (*os.File, error) {
	flags := unix.O_RDWR | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	if readOnly {
		flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	} else if device {
		flags |= unix.O_EXCL
	}
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return nil, openFailure(path, device, err)
	}
	f := os.NewFile(uintptr(fd), path)
	if device && !readOnly && readOnlyDevice(f) {
		f.Close()
		return nil, openFailure(path, device, unix.EROFS)
	}
	return f, nil
}

func openFailure(path string, device bool, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return failure(report.Busy, path, errors.New("it is mounted or in use"), "unmount it, or stop what uses it")
	case errors.Is(err, unix.ETXTBSY):
		return failure(report.Busy, path, errors.New("it is in use as swap or as a running program"), "stop what uses it")
	case errors.Is(err, unix.EROFS):
		return failure(report.Disk, path, errors.New("it is read-only"), "make it writable")
	case errors.Is(err, unix.EACCES) && device && readOnlyPath(path):
		return failure(report.Disk, path, errors.New("it is read-only"), "make it writable (blockdev --setrw)")
	case errors.Is(err, fs.ErrPermission):
		return failure(report.Disk, path, err, "run as root, or as the owner of a disk file")
	}
	return failure(report.Disk, path, err, "")
}

// readOnlyPath reports whether the device at path is read-only; opening such a
// device for writing gives the same error as missing permission.
func readOnlyPath(path string) bool {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return readOnlyDevice(f)
}

func readOnlyDevice(f *os.File) bool {
	ro, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET)
	return err == nil && ro&0xffffffff != 0
}

// measure sets d.Size; seeking works for files and devices alike.
func (d *Disk) measure() error {
	size, err := d.File.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = d.File.Seek(0, io.SeekStart)
	}
	if err != nil {
		return failure(report.Disk, d.Path, fmt.Errorf("measuring it: %w", report.Bare(err)), "")
	}
	d.Size = size
	return nil
}

// create makes a new disk file, after everything that can be known is checked.
func create(path string, o Options) (*Disk, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, failure(report.Disk, path, errors.New("it is a symbolic link to something that does not exist"), "name the file itself")
	}
	if o.ReadOnly || o.Existing {
		return nil, failure(report.Disk, path, unix.ENOENT, "check its name")
	}
	if ofDevices(path) {
		return nil, failure(report.Disk, path, errors.New("there is no such device"), "check its name; disk files are not created in /dev")
	}
	if o.Size == 0 {
		return nil, failure(report.Disk, path, unix.ENOENT, "check its name, or give a size to create a disk file")
	}
	d := &Disk{Path: path, Size: o.Size, Created: true, qcow2: o.qcow2}
	if err := fits(d, o); err != nil {
		return nil, err
	}
	if o.DryRun {
		return d, nil
	}
	// O_EXCL with O_CREAT: never through a link somebody just put there. 0600:
	// a disk holds keys and password hashes.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, createFailure(path, report.Bare(err))
	}
	d.File = f
	if err := d.fill(); err != nil {
		return nil, errors.Join(err, removeSame(f, path), f.Close())
	}
	return d, nil
}

// ofDevices reports whether path lies among the devices, where a file of that name is a
// misspelled device, and would fill the node's memory. /dev/shm is for files.
func ofDevices(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	return err == nil && (dir == "/dev" || strings.HasPrefix(dir, "/dev/")) && dir != "/dev/shm" && !strings.HasPrefix(dir, "/dev/shm/")
}

// fill locks the new file and gives it its size.
func (d *Disk) fill() error {
	if err := d.claim(false); err != nil {
		return err
	}
	if err := d.form(); err != nil {
		return failure(report.Disk, d.Path, fmt.Errorf("creating it with %d bytes: %w", d.Size, report.Bare(err)), remedySpace(err))
	}
	return nil
}

// form makes the new file a disk of zeros.
func (d *Disk) form() error {
	if d.qcow2 {
		return format.WriteQcow2(d.File, d.Size)
	}
	return d.File.Truncate(d.Size)
}

func createFailure(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return failure(report.Busy, path, errors.New("somebody else is creating it"), "try again when that has ended")
	case errors.Is(err, fs.ErrNotExist):
		return failure(report.Disk, path, errors.New("its directory does not exist"), "create the directory")
	case errors.Is(err, unix.EROFS):
		return failure(report.Disk, path, errors.New("its file system is read-only"), "name a file elsewhere")
	case errors.Is(err, fs.ErrPermission):
		return failure(report.Disk, path, err, "name a file in a directory of yours, or run as root")
	}
	return failure(report.Disk, path, err, remedySpace(err))
}
