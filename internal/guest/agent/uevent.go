package agent

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// deviceTimeout is how long a device may take to appear. QEMU has them all from
// the start; only the kernel needs a moment.
const deviceTimeout = 20 * time.Second

// uevents tells when something changed among the devices.
type uevents struct{ fd int }

// listen subscribes to the kernel's device events. Do it before loading the
// drivers, or events are missed.
func listen() (*uevents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("listening for device events: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return nil, fmt.Errorf("listening for device events: %w", err)
	}
	return &uevents{fd: fd}, nil
}

// await asks find again after each device event until it finds something. The
// content of the events does not matter.
func await[T any](u *uevents, what string, find func() (T, bool)) (T, error) {
	deadline := time.Now().Add(deviceTimeout)
	for {
		found, ok := find()
		if ok {
			return found, nil
		}
		if time.Now().After(deadline) {
			return found, fmt.Errorf("waiting for %s: it did not appear within %v", what, deviceTimeout)
		}
		u.next(time.Second)
	}
}

// next waits for some events, or until the timeout: events can be lost.
func (u *uevents) next(timeout time.Duration) {
	poll := []unix.PollFd{{Fd: int32(u.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, int(timeout.Milliseconds()))
	if n <= 0 || err != nil {
		return
	}
	buf := make([]byte, 16<<10)
	for { // take all that are there
		if _, _, err := unix.Recvfrom(u.fd, buf, unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}
