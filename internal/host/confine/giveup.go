package confine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeOnExec keeps the descriptors from first on, which whoever started this program
// may have left open, from what it starts.
func closeOnExec(first int) error {
	err := unix.CloseRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("closing descriptors: %w", err)
	}
	open, err := os.ReadDir("/proc/self/fd") // Linux before 5.11
	if err != nil {
		return fmt.Errorf("closing descriptors: %w", err)
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// dropBounds gives up all other capabilities for what the calling thread becomes
// (capabilities(7)).
func dropBounds(keep []int) error {
	for c := range 64 {
		if slices.Contains(keep, c) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) { // beyond the last one
			break
		}
		if err != nil {
			return fmt.Errorf("giving up capability %d: %w", c, err)
		}
	}
	return nil
}

// keepCapabilities gives up all other capabilities of the calling thread.
func keepCapabilities(keep []int) error {
	var set [2]unix.CapUserData
	for _, c := range keep {
		set[c/32].Permitted |= 1 << (c % 32)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return fmt.Errorf("reading the capabilities: %w", err)
	}
	for i := range set {
		set[i].Permitted &= now[i].Permitted // root in a container may not have them
		set[i].Effective = set[i].Permitted
	}
	if err := unix.Capset(&header, &set[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	return nil
}
