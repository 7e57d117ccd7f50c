package vm

import (
	"maps"
	"strings"
	"testing"

	"snf-image/tests/oracle"
)

// TestGanetiHypervisors creates with what Ganeti sets for instances of other
// hypervisors, and with a type of disk nobody has heard of: what runs the
// instance later does not matter to the helper.
func TestGanetiHypervisors(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"xen-pvm": {
			"INSTANCE_HV_blockdev_prefix": "sd", "INSTANCE_HV_bootloader_args": "", "INSTANCE_HV_bootloader_path": "",
			"INSTANCE_HV_initrd_path": "", "INSTANCE_HV_kernel_args": "ro", "INSTANCE_HV_kernel_path": "/boot/vmlinuz-3-xenU",
			"INSTANCE_HV_root_path": "/dev/xvda1", "INSTANCE_HV_use_bootloader": "False", "INSTANCE_HV_xen_cmd": "xl",
			"DISK_0_BACKEND_TYPE": "block",
		},
		"xen-hvm": {
			"INSTANCE_HV_acpi": "True", "INSTANCE_HV_boot_order": "cd", "INSTANCE_HV_device_model": "/usr/lib/xen/bin/qemu-dm",
			"INSTANCE_HV_disk_type": "ioemu", "INSTANCE_HV_nic_type": "rtl8139", "INSTANCE_HV_pae": "True",
			"INSTANCE_HV_vnc_bind_address": "127.0.0.1", "INSTANCE_HV_viridian": "False", "INSTANCE_HV_xen_cmd": "xl",
		},
		"kvm": {"INSTANCE_HV_disk_type": "quantum", "DISK_0_FRONTEND_TYPE": "quantum", "NIC_0_FRONTEND_TYPE": "e1000"},
	} {
		t.Run(name, func(t *testing.T) {
			j, d := newInstance(t)
			env := gnt(j.disk, osp(map[string]string{"HYPERVISOR": name}))
			if name == "xen-pvm" {
				delete(env, "INSTANCE_HV_disk_type") // it has no such parameter
			}
			maps.Copy(env, environment)
			out := d.Call(t, "create", env).OK(t)
			j.done()
			checkLog(t, out)
			if got := oracle.ReadFile(t, j.disk, 1, "/etc/hostname"); got != "inst1.gnt.test\n" {
				t.Errorf("/etc/hostname = %q", got)
			}
			if strings.Contains(out.Stderr, "quantum") || strings.Contains(out.Stderr, "ioemu") {
				t.Errorf("the type of disk is worth a word:\n%s", out.Stderr)
			}
		})
	}
}
