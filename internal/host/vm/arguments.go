package vm

import (
	"fmt"
	"strconv"
)

// arguments returns QEMU's argument vector. No argument holds a path of a disk
// or anything secret.
func arguments(cfg Config, p *plumbing) []string {
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-name", "snf-image-helper",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", "q35,usb=off,vmport=off,sata=off,smbus=off,dump-guest-core=off",
		"-m", strconv.Itoa(cfg.MemoryMiB), "-smp", "1",
		"-kernel", fmt.Sprintf("/proc/self/fd/%d", p.fd.kernel),
		"-initrd", fmt.Sprintf("/proc/self/fd/%d", p.fd.initramfs),
		"-append", cfg.Cmdline,
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d", p.fd.console),
		"-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", p.fd.monitor),
		"-mon", "chardev=monitor,mode=control",
		"-device", "virtio-serial-pci,id=serial,max_ports=4",
		"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", p.fd.channel),
		"-device", "virtserialport,bus=serial.0,nr=1,chardev=channel,name=snf-image",
	}
	args = append(args, accelerator(cfg.Accelerator)...)
	if cfg.Shell != nil {
		shell := fmt.Sprintf("socket,id=shell,fd=%d", p.fd.shell)
		if cfg.ShellListens {
			shell += ",server=on,wait=off"
		}
		args = append(args, "-chardev", shell,
			"-device", "virtserialport,bus=serial.0,nr=2,chardev=shell,name=snf-image-shell")
	}
	for i, d := range cfg.Disks {
		args = append(args, disk(i, p.disks[i], d)...)
	}
	return args
}

// noVectors takes the 256-bit registers away, which TCG emulates since QEMU 7.2 only. Twice
// in some 250 boots, sha256sum in the helper, whose libcrypto uses them where they are, saw
// a digest that was not the file's. That they are the cause is suspected, not proven.
const noVectors = "avx=off,avx2=off,fma=off,f16c=off,vaes=off,vpclmulqdq=off"

// accelerator chooses the processor with it. With TCG the default translation
// cache is an eighth of the node's memory; 64 MiB are plenty for one boot.
func accelerator(a Accelerator) []string {
	if a == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,tb-size=64", "-cpu", "max," + noVectors}
}

// nodePrefix and its number are QEMU's name of a disk.
const nodePrefix = "disk"

// disk attaches file descriptor fd. An fd set keeps QEMU from opening a path,
// and works for devices only root may open. QEMU would stop the machine when a disk
// is full; the agent is told instead.
func disk(i, fd int, d Disk) []string {
	onOff := func(b bool) string {
		if b {
			return "on"
		}
		return "off"
	}
	node := fmt.Sprintf("node-name=%s%d,read-only=%s,", nodePrefix, i, onOff(d.ReadOnly))
	device := fmt.Sprintf("virtio-blk-pci,drive=%s%d,serial=%s,disable-legacy=on,werror=report,rerror=report", nodePrefix, i, d.Serial)
	if d.Connect != nil {
		return []string{"-blockdev", fmt.Sprintf("driver=nbd,%sserver.type=fd,server.str=%d", node, fd), "-device", device}
	}
	driver := "file"
	if isBlockDevice(d.File) {
		driver = "host_device"
	}
	return []string{
		"-add-fd", fmt.Sprintf("fd=%d,set=%d", fd, i+1),
		"-blockdev", fmt.Sprintf("driver=%s,%sfilename=/dev/fdset/%d,cache.direct=%s,discard=ignore,locking=off", driver, node, i+1, onOff(d.Direct)),
		"-device", device,
	}
}
