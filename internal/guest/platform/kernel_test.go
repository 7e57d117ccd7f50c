package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/tree"
)

// TestKernelOption has the files of boot loaders, and which command line in them counts.
func TestKernelOption(t *testing.T) {
	t.Parallel()
	const (
		menu     = "set timeout=0\nmenuentry 'Debian' {\n\tlinux\t/boot/vmlinuz root=UUID=x ro"
		red      = "set default=\"${saved_entry}\"\nif [ -z \"${kernelopts}\" ]; then\n  set kernelopts=\"cloud-init=disabled quiet \"\nfi\ninsmod blscfg\nblscfg\n"
		old, new = "boot/loader/entries/m-5.14.0-70.el9.conf", "boot/loader/entries/m-5.14.0-362.el9.conf"
		off, on  = "title Off\nlinux /v\noptions root=x cloud-init=disabled\n", "title On\nlinux /v\noptions root=x\noptions cloud-init=enabled\n"
		grubenv  = "boot/grub2/grubenv"
	)
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
			map[string]string{"boot/loader/entries/a.conf": "options $kernelopts\n", grubenv: "# GRUB Environment Block\nkernelopts=root=x ro cloud-init=disabled \n####"},
			"disabled", "/boot/grub2/grubenv",
		},
		"UEFI":     {map[string]string{"boot/efi/EFI/redhat/grub.cfg": "  linuxefi /vmlinuz 'cloud-init=disabled'\n"}, "disabled", "/boot/efi/EFI/redhat/grub.cfg"},
		"syslinux": {map[string]string{"boot/extlinux/extlinux.conf": "LABEL a\n  KERNEL /boot/vmlinuz\n  APPEND ro cloud-init=disabled\n"}, "disabled", "/boot/extlinux/extlinux.conf"},

		"variable of the menu":     {map[string]string{"boot/grub2/grub.cfg": red, new: "options $kernelopts $tuned_params\n"}, "disabled", "/boot/grub2/grub.cfg"},
		"variable, and more":       {map[string]string{"boot/grub2/grub.cfg": red, new: "options $kernelopts cloud-init=enabled\n"}, "enabled", "/" + new},
		"variable not used":        {map[string]string{"boot/grub2/grub.cfg": red, grubenv: "kernelopts=cloud-init=disabled\n", new: "options root=x\n"}, "", ""},
		"the environment counts":   {map[string]string{"boot/grub2/grub.cfg": red, grubenv: "kernelopts=root=x\n", new: "options ${kernelopts}\n"}, "", ""},
		"the newest":               {map[string]string{"boot/grub2/grub.cfg": red, old: off, new: on}, "enabled", "/" + new},
		"the newest has none":      {map[string]string{"boot/grub2/grub.cfg": red, old: off, new: "options x\n"}, "", ""},
		"the saved one":            {map[string]string{"boot/grub2/grub.cfg": red, old: off, new: on, grubenv: "saved_entry=m-5.14.0-70.el9\n"}, "disabled", "/" + old},
		"saved by number":          {map[string]string{"boot/grub2/grub.cfg": red, old: off, new: on, grubenv: "saved_entry=1\n"}, "disabled", "/" + old},
		"saved, and gone":          {map[string]string{"boot/grub2/grub.cfg": red, old: off, new: on, grubenv: "saved_entry=m-4\n"}, "enabled", "/" + new},
		"saved, not asked for":     {map[string]string{"boot/grub2/grub.cfg": "set default=\"0\"\nblscfg\n", old: off, new: on, grubenv: "saved_entry=1\n"}, "enabled", "/" + new},
		"entries without blscfg":   {map[string]string{"boot/grub/grub.cfg": menu + " cloud-init=enabled\n", old: off}, "enabled", "/boot/grub/grub.cfg"},
		"blscfg without entries":   {map[string]string{"boot/grub/grub.cfg": red + menu + " cloud-init=enabled\n"}, "enabled", "/boot/grub/grub.cfg"},
		"systemd-boot":             {map[string]string{"efi/loader/entries/a-9.conf": off, "efi/loader/entries/a-10.conf": on}, "enabled", "/efi/loader/entries/a-10.conf"},
		"systemd-boot, configured": {map[string]string{"efi/loader/loader.conf": "timeout 3\ndefault A-9*\n", "efi/loader/entries/a-9.conf": off, "efi/loader/entries/a-10.conf": on}, "disabled", "/efi/loader/entries/a-9.conf"},
		"two partitions":           {map[string]string{"efi/loader/loader.conf": "default b.conf\n", "boot/loader/entries/b.conf": off, "efi/loader/entries/c.conf": on}, "disabled", "/boot/loader/entries/b.conf"},
		"too large":                {map[string]string{new: on + strings.Repeat("#", maxEntry), old: off}, "disabled", "/" + old},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if value, file := KernelOption(image(t, c.files), "cloud-init"); value != c.value || file != c.file {
				t.Errorf("KernelOption = %q, %q, want %q, %q", value, file, c.value, c.file)
			}
		})
	}
}

// TestKernelOptionBounds has files that mean harm: no more is kept of them than is needed, and what
// they refer to each other by ends.
func TestKernelOptionBounds(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	var many strings.Builder
	for n := range lines {
		fmt.Fprintf(&many, "%x=\n", n)
	}
	if vars := variables([]text{{many.String() + "kernelopts=a\n", "e"}}, nil); len(vars) != 1 {
		t.Errorf("%d variables are kept, want the one that is needed", len(vars))
	}
	circle := image(t, map[string]string{
		"boot/grub/grubenv":  "kernelopts=$kernelopts cloud-init=disabled " + strings.Repeat("x ", lines) + "\n",
		"boot/grub/grub.cfg": "linux /v" + strings.Repeat(" $kernelopts ${tuned_params}", lines/10) + " $",
	})
	if value, file := KernelOption(circle, "cloud-init"); value != "disabled" || file != "/boot/grub/grubenv" {
		t.Errorf("in a circle: %q, %q", value, file)
	}
	dir := tree.New(t, map[string]string{"boot/loader/entries/a.conf": "options cloud-init=disabled\n", "boot/efi/EFI/Linux/": "DIR"})
	for p, make := range map[string]func(string) error{
		"boot/loader/entries/b.conf": func(p string) error { return unix.Mkfifo(p, 0o600) },
		"boot/loader/entries/c.conf": func(p string) error { return os.Symlink("../../../../../../../../../proc/cmdline", p) },
		"boot/loader/entries/d.conf": func(p string) error { return os.Symlink("d.conf", p) },
		"boot/loader/entries/e.conf": func(p string) error { return os.Mkdir(p, 0o700) },
		"boot/loader/loader.conf":    func(p string) error { return unix.Mkfifo(p, 0o600) },
		"boot/grub2":                 func(p string) error { return os.Symlink(".", p) },
		"boot/efi/EFI/Linux/x.efi":   func(p string) error { return unix.Mkfifo(p, 0o600) },
	} {
		if err := make(filepath.Join(dir.Dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if value, file := KernelOption(root, "cloud-init"); value != "disabled" || file != "/boot/loader/entries/a.conf" {
		t.Errorf("among odd files: %q, %q", value, file)
	}
}

// FuzzKernelOption has menus, environments and entries that mean harm.
func FuzzKernelOption(f *testing.F) {
	f.Add("blscfg\nset default=\"${saved_entry}\"\n", "saved_entry=0\nkernelopts=x=1\n", "options $kernelopts\n", "[")
	f.Add("linux /v ro $kernelopts\nset kernelopts='x=1'\n", "tuned_params=$kernelopts\n", "options\toptions\n", "^1~2.-")
	f.Fuzz(func(t *testing.T, menu, environment, one, name string) {
		vars := variables([]text{{environment, "e"}}, []text{{menu, "m"}})
		lines := []text{{commandLine(menu), "m"}, {valueOf(one, "options"), "/a.conf"}}
		if value, file := first(lines, "x", vars); value != "" && file == "" {
			t.Errorf("%q is in no file", value)
		}
		if files := byGRUB(byName([]string{name, "a.conf"}), menu, vars["saved_entry"].text); len(files) != 2 {
			t.Errorf("entries %q", files)
		}
		if a, b := compareVersions(menu, name), compareVersions(name, menu); a != -b {
			t.Errorf("the order is %d, and reversed %d", a, b)
		}
	})
}
