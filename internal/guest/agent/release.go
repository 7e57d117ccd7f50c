package agent

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/filesystem"
)

// mappings is how the paths of all our disks and partitions begin.
const mappings = "/dev/disk-"

// release lets go of the disks: everything is unmounted, taken apart and
// flushed. A mount that the plan left is an error only if it cannot be undone.
func (s *session) release() error {
	if s.task != nil && s.task.Root != nil {
		s.task.Changed = s.task.Root.Changed()
		_ = s.task.Root.Close()
		s.task.Root = nil
	}
	err := filesystem.UnmountDevices(mappings)
	if errors.Is(err, unix.EBUSY) { // a program the plan started lives on
		killOthers()
		err = filesystem.UnmountDevices(mappings)
	}
	for _, d := range s.disks {
		err = errors.Join(err, d.detach())
	}
	if err != nil {
		return fmt.Errorf("letting go of the disks: %w", err)
	}
	return nil
}

// killOthers kills every process but this one, and gives them a moment to go.
func killOthers() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for range 100 {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.ECHILD) {
			return
		}
		if pid == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}
