package vm

import (
	"errors"
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

// Choice is what a QEMU can try, in order, and why.
type Choice struct {
	Accelerators []Accelerator
	Why          string // for the log
	Remedy       string // what an administrator can do for KVM, empty with KVM
	Broken       string // why the only one cannot be used, empty if it may be
}

// Choose returns what a QEMU that runs as user (nil: as we do) can try. setting is that of
// ACCELERATOR: kvm or tcg to try nothing else, or auto. KVM may be there and still not
// run an ordinary kernel, so TCG follows it then.
func Choose(setting string, user *syscall.Credential) Choice {
	if setting == string(TCG) {
		return Choice{Accelerators: []Accelerator{TCG}, Why: "ACCELERATOR=tcg"}
	}
	why, remedy := kvmFails(user)
	switch {
	case setting == string(KVM):
		return Choice{Accelerators: []Accelerator{KVM}, Why: "ACCELERATOR=kvm", Broken: why, Remedy: remedy}
	case why != "":
		return Choice{Accelerators: []Accelerator{TCG}, Why: "no KVM: " + why, Remedy: remedy}
	}
	return Choice{Accelerators: []Accelerator{KVM, TCG}, Why: kvmDevice + " answers"}
}

// kvmFails returns why a QEMU that runs as user cannot use KVM, and what to do about it; nothing
// if it can.
func kvmFails(user *syscall.Credential) (why, remedy string) {
	const look = "see what the kernel says: dmesg | grep -i kvm"
	if user != nil && !groupMayUseKVM() {
		return fmt.Sprintf("only root may open %s, the helper runs as uid %d", kvmDevice, user.Uid),
			"give the device a group of its own: chgrp kvm " + kvmDevice + " && chmod 0660 " + kvmDevice
	}
	f, err := os.OpenFile(kvmDevice, os.O_RDWR|syscall.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return err.Error(), "load the module kvm_intel or kvm_amd; the firmware, or the host of a virtual machine, must offer virtualization"
	case errors.Is(err, os.ErrPermission):
		return err.Error(), "add the user to the device's group, usually kvm"
	case err != nil:
		return err.Error(), look
	}
	defer func() { _ = f.Close() }()
	v, err := unix.IoctlRetInt(int(f.Fd()), kvmGetAPIVersion)
	if err != nil {
		return fmt.Sprintf("asking %s for its version: %v", kvmDevice, err), look
	}
	if v != kvmAPIVersion {
		return fmt.Sprintf("%s has API version %d, not %d", kvmDevice, v, kvmAPIVersion), "install a kernel of Linux 2.6.22 or later"
	}
	return "", ""
}

// Failed returns the choice that is left when KVM did not run the helper.
func (c Choice) Failed(why string) Choice {
	return Choice{
		Accelerators: []Accelerator{TCG}, Why: why,
		Remedy: `in a virtual machine, see that its host really offers nested virtualization; KVM is tried again by "snf-image doctor" and after a boot of this node`,
	}
}

// groupMayUseKVM reports whether a QEMU that is not root may open /dev/kvm: because
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
