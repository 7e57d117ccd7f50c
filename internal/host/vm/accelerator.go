package vm

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	kvmDevice        = "/dev/kvm"
	kvmGetAPIVersion = 0xae00 // KVM_GET_API_VERSION, linux/kvm.h
	kvmAPIVersion    = 12     // the only one since Linux 2.6.22
)

// Accelerators returns what a QEMU that runs as user (nil: as we do) can try,
// in order, and why in words for the log. KVM may be there and still not run an
// ordinary kernel, so TCG always follows.
func Accelerators(user *syscall.Credential) ([]Accelerator, string) {
	if user != nil && !groupMayUseKVM() {
		return []Accelerator{TCG}, fmt.Sprintf("no KVM: only root may open %s, the helper runs as uid %d", kvmDevice, user.Uid)
	}
	f, err := os.OpenFile(kvmDevice, os.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return []Accelerator{TCG}, fmt.Sprintf("no KVM: %v", err)
	}
	defer func() { _ = f.Close() }()
	v, err := unix.IoctlRetInt(int(f.Fd()), kvmGetAPIVersion)
	if err != nil {
		return []Accelerator{TCG}, fmt.Sprintf("no KVM: asking %s for its version: %v", kvmDevice, err)
	}
	if v != kvmAPIVersion {
		return []Accelerator{TCG}, fmt.Sprintf("no KVM: %s has API version %d, not %d", kvmDevice, v, kvmAPIVersion)
	}
	return []Accelerator{KVM, TCG}, kvmDevice + " answers"
}

// groupMayUseKVM says whether a QEMU that is not root may open /dev/kvm: because
// everybody may, or through KVMGroup. A missing device is left to open(2).
func groupMayUseKVM() bool {
	var st unix.Stat_t
	if err := unix.Stat(kvmDevice, &st); err != nil {
		return true
	}
	_, group := deviceGroup(&st)
	return group || st.Mode&0o006 == 0o006
}

// KVMGroup returns the group that opens /dev/kvm to a QEMU with a uid of its
// own; false when no group does.
func KVMGroup() (uint32, bool) {
	var st unix.Stat_t
	if err := unix.Stat(kvmDevice, &st); err != nil {
		return 0, false
	}
	return deviceGroup(&st)
}

// deviceGroup returns the group of a device if it may read and write it. Never
// root's: with that group QEMU could read what belongs to root's group, too.
func deviceGroup(st *unix.Stat_t) (uint32, bool) {
	return st.Gid, st.Gid != 0 && st.Mode&0o060 == 0o060
}
