// Package devmapper joins and cuts block devices with the kernel's device
// mapper, by its ioctl interface (linux/dm-ioctl.h, version 4): linear and striped
// targets only.
//
// The helper needs it thrice: to put a disk together whose ends lie on devices of
// their own, to make partitions, which the kernel does not do on a mapped device, and
// for the volumes of LVM. A mapping named NAME is the device /dev/NAME.
package devmapper

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// control is the device of the ioctls; devtmpfs makes it.
const control = "/dev/mapper/control"

// Piece is a piece of a mapping; the pieces of a mapping follow one another.
type Piece interface {
	// sectors is the length of the piece, target the type and the parameters by which
	// the kernel maps it.
	sectors() uint64
	target() (kind, parameters string)
}

// Linear is Length sectors of Device from Offset on.
type Linear struct {
	Device string
	Offset uint64 // sectors of 512 bytes
	Length uint64
}

func (l Linear) sectors() uint64 { return l.Length }

func (l Linear) target() (kind, parameters string) {
	return "linear", fmt.Sprintf("%s %d", l.Device, l.Offset)
}

// Striped is Length sectors that lie in turn, Chunk sectors each, on the stripes.
type Striped struct {
	Stripes []Linear // their Length counts for nothing
	Chunk   uint64
	Length  uint64
}

func (s Striped) sectors() uint64 { return s.Length }

func (s Striped) target() (kind, parameters string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d", len(s.Stripes), s.Chunk)
	for _, l := range s.Stripes {
		fmt.Fprintf(&b, " %s %d", l.Device, l.Offset)
	}
	return "striped", b.String()
}

// Create makes the mapping name and returns its device.
func Create(name string, pieces []Piece, readOnly bool) (string, error) {
	path, err := create(name, pieces, readOnly)
	if err != nil {
		return "", fmt.Errorf("mapping %s: %w", name, err)
	}
	return path, nil
}

func create(name string, pieces []Piece, readOnly bool) (string, error) {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	made := newRequest(name, 0)
	if err := made.do(f, devCreate); err != nil {
		return "", fmt.Errorf("creating it: %w", err)
	}
	if err := load(f, name, pieces, readOnly); err != nil {
		_ = newRequest(name, 0).do(f, devRemove)
		return "", err
	}
	path := "/dev/" + name
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(made.device())); err != nil {
		return "", fmt.Errorf("making %s: %w", path, err)
	}
	return path, nil
}

// load gives the mapping its table and makes that live.
func load(f *os.File, name string, pieces []Piece, readOnly bool) error {
	var flags uint32
	if readOnly {
		flags = flagReadOnly
	}
	if err := newTable(name, flags, pieces).do(f, tableLoad); err != nil {
		return fmt.Errorf("loading its table: %w", err)
	}
	if err := newRequest(name, flags).do(f, devResume); err != nil {
		return fmt.Errorf("resuming it: %w", err)
	}
	return nil
}

// Remove takes the mapping away; one that is in use is an error.
func Remove(name string) error {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := newRequest(name, 0).do(f, devRemove); err != nil {
		return fmt.Errorf("removing mapping %s: %w", name, err)
	}
	return os.Remove("/dev/" + name)
}
