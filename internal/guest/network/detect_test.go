package network

import (
	"fmt"
	"testing"

	"snf-image/tests/tree"
)

func TestDetect(t *testing.T) {
	t.Parallel()
	const systemd, wants = "usr/lib/systemd/systemd", "etc/systemd/system/multi-user.target.wants/"
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"nothing":                 {nil, ""},
		"ifupdown":                {[]string{"usr/sbin/ifup", "etc/network/interfaces"}, Ifupdown},
		"ifupdown beside netplan": {[]string{"usr/sbin/ifup", "etc/network/interfaces", "etc/netplan/a.yaml"}, Ifupdown},
		"interfaces file alone":   {[]string{"etc/network/interfaces"}, Ifupdown},
		"Debian's image":          {[]string{systemd, "usr/sbin/netplan", wants + networkdUnit}, Netplan},
		"ifupdown started":        {[]string{systemd, "usr/sbin/ifup", "etc/network/interfaces", wants + ifupdownUnit, "usr/sbin/netplan", wants + networkdUnit}, Ifupdown},
		"ifupdown not started":    {[]string{systemd, "usr/sbin/ifup", "etc/network/interfaces", wants + networkdUnit}, Networkd},
		"ifupdown alone":          {[]string{systemd, "usr/sbin/ifup", "etc/network/interfaces"}, Ifupdown},
		"desktop":                 {[]string{systemd, "usr/sbin/ifup", "etc/network/interfaces", wants + ifupdownUnit, "usr/sbin/NetworkManager", wants + networkManagerUnit}, Ifupdown},
		"NetworkManager started":  {[]string{systemd, "usr/sbin/NetworkManager", wants + networkManagerUnit, "etc/sysconfig/network-scripts/ifcfg-eth0"}, NetworkManager},
		"NetworkManager idle":     {[]string{systemd, "usr/sbin/NetworkManager", wants + networkdUnit}, Networkd},
		"networkd started":        {[]string{systemd, wants + networkdUnit}, Networkd},
		"networkd of the vendor":  {[]string{systemd, "usr/lib/systemd/system/sysinit.target.wants/" + networkdUnit}, Networkd},
		"SUSE with wicked":        {[]string{systemd, "usr/sbin/wicked", "usr/sbin/NetworkManager", wants + "wicked.service"}, Wicked},
		"SUSE without":            {[]string{systemd, "usr/sbin/wicked", "usr/sbin/NetworkManager", wants + networkManagerUnit}, NetworkManager},
		"ifup of Red Hat":         {[]string{"usr/sbin/ifup", "usr/sbin/NetworkManager"}, NetworkManager},
		"netplan":                 {[]string{"etc/netplan/50-x.yaml", "etc/network/interfaces"}, Netplan},
		"network scripts":         {[]string{"etc/sysconfig/network-scripts/ifcfg-eth0"}, Ifcfg},
		"wicked":                  {[]string{"usr/sbin/wicked", "etc/sysconfig/network/ifcfg-eth0"}, Wicked},
		"networkd":                {[]string{"etc/systemd/network/a.network"}, Networkd},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for _, p := range c.files {
				files[p] = ""
			}
			if got, why := Detect(open(t, tree.New(t, files))); got != c.want || (why == "") != (got == "") {
				t.Errorf("Detect = %q, %q, want %q", got, why, c.want)
			}
		})
	}
}

func TestKernelNames(t *testing.T) {
	t.Parallel()
	const cmdline = "linux /vmlinuz root=UUID=x ro net.ifnames=0 biosdevname=0\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"nothing":         {nil, false},
		"other arguments": {map[string]string{"boot/grub/grub.cfg": "linux /vmlinuz quiet\n", "etc/systemd/network/99-default.link": "[Link]\n"}, false},
		"grub":            {map[string]string{"boot/grub/grub.cfg": cmdline}, true},
		"grub 2":          {map[string]string{"boot/grub2/grub.cfg": cmdline}, true},
		"extlinux":        {map[string]string{"boot/extlinux/extlinux.conf": cmdline}, true},
		"syslinux":        {map[string]string{"boot/syslinux/syslinux.cfg": cmdline}, true},
		"boot entry":      {map[string]string{"boot/loader/entries/a.conf": cmdline}, true},
		"grub's defaults": {map[string]string{"etc/default/grub.d/50-cloud.cfg": cmdline}, true},
		"link masked":     {map[string]string{"etc/systemd/network/99-default.link": "-> /dev/null"}, true},
		"rule emptied":    {map[string]string{"etc/udev/rules.d/80-net-setup-link.rules": ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kernelNames(open(t, tree.New(t, c.files))); got != c.want {
				t.Errorf("kernelNames = %v, want %v", got, c.want)
			}
		})
	}
}

func TestPackageVersion(t *testing.T) {
	t.Parallel()
	status := "Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 2\n\n" +
		"Package: ifupdown\nStatus: install ok installed\nDescription: x\n Version: 9\nVersion: 0.8.41\n"
	root := open(t, tree.New(t, map[string]string{"var/lib/dpkg/status": status}))
	for name, want := range map[string]string{"ifupdown": "0.8.41", "a": "1", "gone": "", "ifup": "", "none": ""} {
		if got := packageVersion(root, name); got != want {
			t.Errorf("packageVersion(%q) = %q, want %q", name, got, want)
		}
	}
	if got := packageVersion(open(t, tree.New(t, nil)), "a"); got != "" {
		t.Errorf("packageVersion without dpkg = %q", got)
	}
}

// TestDetectHostile waits for nothing in an image of FIFOs.
func TestDetectHostile(t *testing.T) {
	t.Parallel()
	root := open(t, tree.New(t, map[string]string{"etc/network/interfaces": "FIFO", "var/lib/dpkg/status": "FIFO"}))
	if got, _ := Detect(root); got+packageVersion(root, "ifupdown") != Ifupdown {
		t.Errorf("detected %q, want %q", got, Ifupdown)
	}
}

// TestConfiguredPlugins has the administrator's files win over the main one, and that over the
// vendor's.
func TestConfiguredPlugins(t *testing.T) {
	t.Parallel()
	const vendor, main, own = "usr/lib/NetworkManager/conf.d/50-a.conf", "etc/NetworkManager/NetworkManager.conf", "etc/NetworkManager/conf.d/10-a.conf"
	for want, files := range map[string][]string{"1": {vendor}, "2": {vendor, main}, "3": {vendor, main, own}} {
		texts := map[string]string{}
		for n, p := range files {
			texts[p] = fmt.Sprintf("[main]\nplugins=%d\n", n+1)
		}
		if got := configuredPlugins(open(t, tree.New(t, texts))); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %s", files, got, want)
		}
	}
}

// TestEnabled has what makes systemd start a unit at boot.
func TestEnabled(t *testing.T) {
	t.Parallel()
	const unit, usual = "usr/lib/systemd/system/" + networkdUnit, "[Install]\nWantedBy=multi-user.target\n"
	first := map[string]string{"usr/lib/systemd/systemd": "", unit: usual, "etc/machine-id": "uninitialized\n"}
	for title, c := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"wanted":                    {map[string]string{wanted + networkdUnit: "-> x"}, true},
		"wanted by the vendor":      {map[string]string{"usr/lib/systemd/system/sockets.target.wants/" + networkdUnit: "-> x"}, true},
		"wanted, without usr":       {map[string]string{"lib/systemd/system/network.target.wants/" + networkdUnit: "-> x"}, true},
		"required":                  {map[string]string{"etc/systemd/system/a.target.requires/" + networkdUnit: "-> x"}, true},
		"masked":                    {map[string]string{wanted + networkdUnit: "-> x", "etc/systemd/system/" + networkdUnit: "-> /dev/null"}, false},
		"masked, without usr":       {map[string]string{wanted + networkdUnit: "-> x", "lib/systemd/system/" + networkdUnit: "-> /dev/null"}, false},
		"another":                   {map[string]string{"etc/systemd/system/a.target.wants/y.service": "-> ../" + networkdUnit}, false},
		"installed":                 {map[string]string{unit: usual}, false},
		"first boot":                {first, true},
		"first boot, no id":         {with(first, map[string]string{"etc/machine-id": "DIR"}), false},
		"later boot":                {with(first, map[string]string{"etc/machine-id": "0123456789abcdef0123456789abcdef\n"}), false},
		"later boot, id to be made": {with(first, map[string]string{"etc/machine-id": ""}), false},
		"nothing wants it":          {with(first, map[string]string{unit: "[Service]\n"}), false},
		"preset to be off":          {with(first, map[string]string{"usr/lib/systemd/system-preset/99-default-disable.preset": "disable *\n"}), false},
		"preset to be on first": {with(first, map[string]string{
			"usr/lib/systemd/system-preset/99-default-disable.preset": "disable *\n", "usr/lib/systemd/system-preset/90-default.preset": "# enable x\nenable systemd-network*\n",
		}), true},
		"preset of the administrator": {with(first, map[string]string{
			"usr/lib/systemd/system-preset/90-default.preset": "enable " + networkdUnit + "\n", "etc/systemd/system-preset/90-default.preset": "disable " + networkdUnit + "\n",
		}), false},
	} {
		if got := enabled(newGuest(t, c.files).Root, networkdUnit); got != c.want {
			t.Errorf("%s: enabled = %t, want %t", title, got, c.want)
		}
	}
}
