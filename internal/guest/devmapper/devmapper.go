// Package devmapper joins and cuts block devices with the kernel's device
// mapper, by its ioctl interface (linux/dm-ioctl.h, version 4): linear targets
// only.
//
// The helper needs it twice: to put a disk together whose ends lie on devices
// of their own, and to make partitions, which the kernel does not do on a
// mapped device. A mapping named NAME is the device /dev/NAME.
package devmapper

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// control is the device of the ioctls; devtmpfs makes it.
const control = "/dev/mapper/control"

// Linear is a piece of a mapping: Length sectors of Device from Offset on. The
// pieces of a mapping follow one another.
type Linear struct {
	Device string
	Offset uint64 // sectors of 512 bytes
	Length uint64
}

// Create makes the mapping name and returns its device.
func Create(name string, pieces []Linear, readOnly bool) (string, error) {
	path, err := create(name, pieces, readOnly)
	if err != nil {
		return "", fmt.Errorf("mapping %s: %w", name, err)
	}
	return path, nil
}

func create(name string, pieces []Linear, readOnly bool) (string, error) {
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
func load(f *os.File, name string, pieces []Linear, readOnly bool) error {
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
