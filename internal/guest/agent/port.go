package agent

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of the virtio-serial ports.
const (
	hostPort  = "snf-image"
	shellPort = "snf-image-shell"
)

// openPort waits for the virtio-serial port of that name and opens it for
// blocking use: a write waits until the host listens.
func openPort(events *uevents, name string) (*os.File, error) {
	device, err := await(events, "the virtio-serial port "+name, func() (string, bool) { return findPort(name) })
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	return os.NewFile(uintptr(fd), device), nil
}

// findPort returns the device of the port of that name.
func findPort(name string) (string, bool) {
	return findAttribute("/sys/class/virtio-ports/*/name", name)
}

// findDisk returns the virtio disk of that serial.
func findDisk(serial string) (string, bool) {
	return findAttribute("/sys/block/vd*/serial", serial)
}

// findAttribute returns the device in whose directory the file matching pattern
// holds value.
func findAttribute(pattern, value string) (string, bool) {
	files, _ := filepath.Glob(pattern)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimRight(string(b), "\n") == value {
			return "/dev/" + filepath.Base(filepath.Dir(f)), true
		}
	}
	return "", false
}
