package agent

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestAwait asks again after each event until the device is there.
func TestAwait(t *testing.T) {
	t.Parallel()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	asked := 0
	got, err := await(&uevents{fd: fds[0]}, "the device", func() (string, bool) {
		if asked++; asked < 3 {
			if err := unix.Send(fds[1], []byte("add@/devices/x"), 0); err != nil {
				t.Error(err)
			}
			return "", false
		}
		return "/dev/x", true
	})
	if err != nil || got != "/dev/x" || asked != 3 {
		t.Errorf("await = %q, %v after asking %d times, want /dev/x after 3", got, err, asked)
	}
}
