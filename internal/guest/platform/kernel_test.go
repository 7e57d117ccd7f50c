package platform

import (
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/tree"
)

// TestKernelOption has the files of boot loaders, and which command line in them counts.
func TestKernelOption(t *testing.T) {
	t.Parallel()
	const menu = "set timeout=0\nmenuentry 'Debian' {\n\tlinux\t/boot/vmlinuz root=UUID=x ro"
	for title, c := range map[string]struct {
		files       map[string]string
		value, file string
	}{
		"nothing":        {nil, "", ""},
		"GRUB":           {map[string]string{"boot/grub/grub.cfg": menu + " quiet cloud-init=disabled\n}\n"}, "disabled", "/boot/grub/grub.cfg"},
		"GRUB 2":         {map[string]string{"boot/grub2/grub.cfg": menu + " cloud-init=enabled\n"}, "enabled", "/boot/grub2/grub.cfg"},
		"the last":       {map[string]string{"boot/grub/grub.cfg": menu + " cloud-init=disabled cloud-init=enabled x\n"}, "enabled", "/boot/grub/grub.cfg"},
		"another entry":  {map[string]string{"boot/grub/grub.cfg": menu + "\n}\nlinux /boot/old cloud-init=disabled\n"}, "", ""},
		"not a kernel":   {map[string]string{"boot/grub/grub.cfg": "# linux cloud-init=disabled\nset x=cloud-init=disabled\n"}, "", ""},
		"another option": {map[string]string{"boot/grub/grub.cfg": menu + " my-cloud-init=disabled cloud-init\n"}, "", ""},
		"entries":        {map[string]string{"boot/loader/entries/a.conf": "title A\nlinux /vmlinuz\noptions root=x cloud-init=disabled\n"}, "disabled", "/boot/loader/entries/a.conf"},
		"variables": {
			map[string]string{"boot/loader/entries/a.conf": "options $kernelopts\n", "boot/grub2/grubenv": "# GRUB Environment Block\nkernelopts=root=x ro cloud-init=disabled \n####"},
			"disabled", "/boot/grub2/grubenv",
		},
		"UEFI":     {map[string]string{"boot/efi/EFI/redhat/grub.cfg": "  linuxefi /vmlinuz 'cloud-init=disabled'\n"}, "disabled", "/boot/efi/EFI/redhat/grub.cfg"},
		"syslinux": {map[string]string{"boot/extlinux/extlinux.conf": "LABEL a\n  KERNEL /boot/vmlinuz\n  APPEND ro cloud-init=disabled\n"}, "disabled", "/boot/extlinux/extlinux.conf"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			root, err := rootfs.Open(tree.New(t, c.files).Dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if value, file := KernelOption(root, "cloud-init"); value != c.value || file != c.file {
				t.Errorf("KernelOption = %q, %q, want %q, %q", value, file, c.value, c.file)
			}
		})
	}
}
