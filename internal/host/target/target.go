// Package target holds the disk that is written: it opens it for one run
// alone, writes and zeroes it, and commits its ends last.
//
// Nothing is written before every check has passed. A disk between Open and
// Commit has no valid first and last MiB, so it cannot boot; Commit writes
// sector 0 last of all. Every byte an image covers is written or proven zero,
// whatever a previous owner left there.
//
// It is large because opening, locking, zeroing, writing and committing share what is
// known of one disk.
package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/foreign"
	"snf-image/internal/report"
)

// Sizes a disk must respect.
const (
	Sector  = 512
	MinSize = 4 << 20
)

// Options say how a disk is opened.
type Options struct {
	// ReadOnly opens the disk for reading, beside other readers.
	ReadOnly bool
	// Size creates or extends a disk file to that many bytes; 0 leaves it.
	Size int64
	// Existing refuses to create a disk file.
	Existing bool
	// Image is the opened image that will be written, nil for none. It must not
	// be the disk itself, by whatever name.
	Image *os.File
	// Others are disks of the same run that are open already. None of them may be the
	// disk, or lie on it or under it, by whatever name.
	Others []*Disk
	// ImageSize is the length of the disk in the image; the disk must hold it.
	ImageSize int64
	// qcow2 says that a disk file has that format; see OpenQcow2.
	qcow2 bool
	// Raw says that the bytes of a disk file are those of the disk. Else a file that
	// begins with the header of another format is not opened for writing.
	Raw bool
	// DryRun checks everything and creates or extends nothing.
	DryRun bool
	// LockDir is where runs on this node know of each other's disks by URI; empty
	// for a user who shares none with others.
	LockDir string
	// Server is the identity of the program that serves a disk by URI, where the
	// storage asks for nothing of root's; nil is the caller's.
	Server *syscall.Credential
}

// Disk is an opened disk, locked against other runs and other QEMUs until
// Close. Both locks belong to the open file description: a QEMU that inherits
// a duplicate of File shares them.
type Disk struct {
	File   *os.File // nil after a dry run that would create the file, and for a disk by URI
	Path   string   // or the URI, fit for logs
	Size   int64
	Device bool // it has the size it has
	// Created says that Open made the file; Extended that it made it longer.
	Created, Extended bool

	oldSize int64
	qcow2   bool        // a file of that format
	remote  *attachment // of a disk by URI
}

// Open opens the disk at path. Refusals are *report.Failure of kind Disk, Busy
// or Usage, and leave everything as it was.
func Open(path string, o Options) (*Disk, error) {
	if err := checkSize(o.Size); err != nil {
		return nil, failure(report.Usage, path, err, "choose another size")
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, o)
	}
	if err != nil {
		return nil, failure(report.Disk, path, report.Bare(err), "")
	}
	if !isDevice(st) && !st.Mode().IsRegular() {
		return nil, failure(report.Disk, path, errNotDisk(st), "name a block device or a disk file")
	}
	if err := notAmong(path, st, o.Others); err != nil {
		return nil, err
	}
	f, err := openExisting(path, isDevice(st), o.ReadOnly)
	if err != nil {
		return nil, err
	}
	d := &Disk{File: f, Path: path, Device: isDevice(st), qcow2: o.qcow2}
	if err := d.prepare(st, o); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

// prepare checks the opened disk and, last of all, extends it.
func (d *Disk) prepare(before fs.FileInfo, o Options) error {
	st, err := d.File.Stat()
	if err != nil {
		return failure(report.Disk, d.Path, report.Bare(err), "")
	}
	if !os.SameFile(before, st) {
		return failure(report.Busy, d.Path, errors.New("it was replaced while being opened"), "try again")
	}
	for _, step := range []func() error{
		d.measure,
		func() error { return notSame(d, o.Image) },
		func() error { return d.claim(o.ReadOnly) },
		func() error { return d.formatted(o) },
		func() error { return d.plan(o) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if !d.Extended || o.DryRun || o.qcow2 {
		return nil
	}
	if err := d.File.Truncate(d.Size); err != nil {
		return failure(report.Disk, d.Path, fmt.Errorf("extending to %d bytes: %w", d.Size, report.Bare(err)), remedySpace(err))
	}
	return nil
}

// formatted refuses a disk file in another format than is meant: its bytes are not those of
// the disk in it, and writing over them destroys it.
func (d *Disk) formatted(o Options) error {
	if o.qcow2 {
		return d.measureQcow2()
	}
	if d.Device || o.ReadOnly || o.Raw {
		return nil
	}
	header := make([]byte, foreign.HeaderSize)
	n, err := d.File.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return failure(report.Disk, d.Path, fmt.Errorf("reading its first sector: %w", report.Bare(err)), "")
	}
	if foreign := foreign.Recognize(header[:n]); foreign != nil {
		return failure(report.Disk, d.Path, fmt.Errorf("it is %s, not a raw disk file", foreign.Name),
			foreignRemedy(foreign))
	}
	return nil
}

// foreignRemedy is what to do about a disk file in another format.
func foreignRemedy(f *foreign.File) string {
	const name = "name another file, or take its bytes as those of the disk with --disk-format raw"
	if strings.Contains(f.Name, "qcow2") {
		return "write to the disk in it with --disk-format qcow2, " + name
	}
	return name
}

// plan decides the size the disk will have and whether the image fits.
func (d *Disk) plan(o Options) error {
	if o.Size != 0 && d.Device {
		return failure(report.Usage, d.Path, errors.New("a device has the size it has"), "leave out the size, or resize the device")
	}
	if o.Size != 0 && o.Size < d.Size {
		err := fmt.Errorf("%d bytes are asked for and it has %d; a disk is never made smaller", o.Size, d.Size)
		return failure(report.Disk, d.Path, err, "ask for at least its size, or name a new file")
	}
	d.oldSize = d.Size
	d.Size = max(d.Size, o.Size)
	d.Extended = d.Size > d.oldSize
	return fits(d, o)
}

// fits checks the final size of d against the rules and the image.
func fits(d *Disk, o Options) error {
	if rest := d.Size % Sector; rest != 0 {
		err := fmt.Errorf("its %d bytes are not a whole number of %d-byte sectors", d.Size, Sector)
		return failure(report.Disk, d.Path, err, "extend it to a multiple of 512 bytes")
	}
	if d.Size < MinSize {
		err := fmt.Errorf("it has %d bytes, a disk needs at least %d", d.Size, MinSize)
		return failure(report.Disk, d.Path, err, "use a larger disk"+orSize(d))
	}
	if d.Size < o.ImageSize {
		err := fmt.Errorf("it has %d bytes, the image needs %d", d.Size, o.ImageSize)
		return failure(report.Disk, d.Path, err, "use a larger disk"+orSize(d))
	}
	return nil
}

func orSize(d *Disk) string {
	if d.Device {
		return ""
	}
	return ", or extend the file by giving a size"
}

// Close releases the disk and its locks.
func (d *Disk) Close() error {
	switch {
	case d.remote != nil:
		return d.remote.release()
	case d.File == nil:
		return nil
	}
	return d.File.Close()
}

// Undo takes back what Open did to the file: a created one is removed, an
// extended one has its old length again. It is for a run that ends before
// anything was written.
func (d *Disk) Undo() error {
	switch {
	case d.qcow2:
		return d.undoQcow2()
	case d.File == nil:
		return nil
	case d.Created:
		return removeSame(d.File, d.Path)
	case d.Extended:
		return d.File.Truncate(d.oldSize)
	}
	return nil
}

// removeSame removes path if it still is the file f. It looks and removes in one
// directory: another one may get its name at any time.
func removeSame(f *os.File, path string) error {
	var ours, there unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &ours); err != nil {
		return err
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir) //nolint:errcheck // only a place
	name := filepath.Base(path)
	err = unix.Fstatat(dir, name, &there, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || ours.Dev != there.Dev || ours.Ino != there.Ino {
		return err
	}
	return unix.Unlinkat(dir, name, 0)
}

func checkSize(size int64) error {
	switch {
	case size < 0 || size%Sector != 0:
		return fmt.Errorf("%d bytes are not a whole number of %d-byte sectors", size, Sector)
	case size != 0 && size < MinSize:
		return fmt.Errorf("%d bytes are too few, a disk needs at least %d", size, MinSize)
	}
	return nil
}

func isDevice(st fs.FileInfo) bool { return st.Mode()&fs.ModeType == fs.ModeDevice }

func errNotDisk(st fs.FileInfo) error {
	switch m := st.Mode(); {
	case m.IsDir():
		return errors.New("it is a directory")
	case m&fs.ModeNamedPipe != 0:
		return errors.New("it is a FIFO")
	case m&fs.ModeCharDevice != 0:
		return errors.New("it is a character device")
	}
	return errors.New("it is neither a file nor a block device")
}

func failure(k report.Kind, path string, cause error, remedy string) error {
	return &report.Failure{Kind: k, What: "opening the disk", On: path, Cause: cause, Remedy: remedy}
}

func remedySpace(err error) string {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return "make room on its file system"
	}
	return ""
}
