package cloudinit

import (
	"slices"

	"snf-image/internal/guest/platform"
	"snf-image/internal/guest/rootfs"
)

const (
	// Option is the option of the kernel that its generator, ds-identify, and newer
	// units and scripts look at first: "enabled" or "disabled".
	Option = "cloud-init"
	// enabled is a file that counts more than Disabled.
	enabled = "/etc/cloud/cloud-init.enabled"
	// target is the unit that the generator starts.
	target = "cloud-init.target"
)

// kernelOption is what the kernel's command line says, and the file of the boot loader that
// has it.
type kernelOption struct{ value, file string }

func (o kernelOption) where() string {
	return Option + "=" + o.value + " on the kernel's command line, in " + o.file
}

// stopped reports whether the kernel's command line keeps all that starts cloud-init off.
func (i Image) stopped() bool {
	asks := !slices.ContainsFunc(i.starters, func(s starter) bool { return !s.asks })
	return i.option.value == "disabled" && asks && (i.generator || len(i.starters) > 0)
}

// lookForced finds out what counts more than Disabled.
func (i *Image) lookForced(root *rootfs.Root) {
	i.option.value, i.option.file = platform.KernelOption(root, Option)
	switch {
	case !i.generator, i.option.value == "disabled":
	case i.option.value == "enabled":
		i.forced = i.option.where()
	case root.Exists(enabled):
		i.forced = enabled
	}
}
