package platform

import (
	"path"
	"slices"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// bootConfigs are where boot loaders find the command line of the kernel: GRUB's menu and its
// variables, the entries of the Boot Loader Specification, GRUB of old, syslinux.
var bootConfigs = []string{
	"/boot/grub*/grub.cfg", "/boot/efi/EFI/*/grub.cfg", "/boot/grub*/grubenv",
	"/boot/loader/entries/*.conf", "/boot/efi/loader/entries/*.conf", "/efi/loader/entries/*.conf",
	"/boot/grub/menu.lst", "/boot/grub/grub.conf", "/boot/*linux/*linux.c*",
}

// maxBootConfig bounds such a file, in bytes.
const maxBootConfig = 1 << 20

// KernelOption returns the value that the boot loader of an image gives to an option of the
// kernel, and the file that does; "" for both where none does. In each file the command line
// that comes first counts, which is what starts by itself.
func KernelOption(root *rootfs.Root, option string) (value, file string) {
	for _, pattern := range bootConfigs {
		files, _ := root.Glob(pattern) // one that cannot be searched tells nothing
		for _, p := range files {
			data, err := root.ReadFile(p, maxBootConfig)
			if err != nil {
				continue
			}
			if value := firstOption(string(data), option); value != "" {
				return value, path.Clean(p)
			}
		}
	}
	return "", ""
}

// firstOption returns the value of an option on the first command line, where the last one
// counts.
func firstOption(config, option string) string {
	for line := range strings.Lines(config) {
		words := strings.Fields(line)
		if len(words) == 0 || !startsKernel(words) {
			continue
		}
		for _, word := range slices.Backward(words) {
			if value, ok := strings.CutPrefix(strings.Trim(word, `"'`), option+"="); ok {
				return strings.Trim(value, `"'`)
			}
		}
		return ""
	}
	return ""
}

// startsKernel reports whether a line holds the command line of a kernel. One that names the
// kernel alone, as in syslinux and in entries, does not.
func startsKernel(words []string) bool {
	if words[0] == "set" && len(words) > 1 {
		words = words[1:]
	}
	switch strings.ToLower(words[0]) {
	case "linux", "linux16", "linuxefi", "kernel":
		return len(words) > 2
	case "options", "append":
		return true
	}
	return strings.HasPrefix(words[0], "kernelopts=") || strings.HasPrefix(words[0], "default_kernelopts=")
}
