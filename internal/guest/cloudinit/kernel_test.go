package cloudinit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"snf-image/internal/guest/outcome"
	"snf-image/tests/tree"
)

// menu is one of GRUB whose kernel has an option.
func menu(option string) string {
	return "menuentry x {\n\tlinux /boot/vmlinuz root=/dev/vda1 ro " + option + "\n}\n"
}

// TestKernelOption has what the kernel's command line and a file beside Disabled do to
// cloud-init, and what is left of it after Disable.
func TestKernelOption(t *testing.T) {
	t.Parallel()
	const (
		heedless = "[Unit]\nDescription=x\n"
		off      = "disabled by cloud-init=disabled on the kernel's command line, in /boot/grub/grub.cfg"
		found    = "runs where ds-identify finds a datasource"
	)
	started := map[string]string{"usr/lib/systemd/system/cloud-init.service": heedless, "etc/systemd/system/multi-user.target.wants/cloud-init.service": "-> x", "lib/systemd/system-generators/cloud-init-generator": "-"}
	for title, c := range map[string]struct {
		option, verdict string
		changes         map[string]string
		masked          bool
	}{
		"nothing":       {"quiet", found, nil, false},
		"disabled":      {"cloud-init=disabled", off, nil, false},
		"enabled":       {"cloud-init=enabled", found, nil, true},
		"file":          {"quiet", found, map[string]string{"etc/cloud/cloud-init.enabled": ""}, true},
		"against file":  {"cloud-init=disabled", off, map[string]string{"etc/cloud/cloud-init.enabled": ""}, false},
		"heedless unit": {"cloud-init=disabled", "runs at every boot: cloud-init.service is enabled", started, false},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := image(c.changes)
			files["boot/grub/grub.cfg"] = menu(c.option)
			var warnings []string
			g := guest(t, tree.New(t, files), &warnings)
			if i := Look(g.Root); i.Verdict != c.verdict || i.Runs != (c.verdict != off) {
				t.Errorf("Look = %+v, want %q", i, c.verdict)
			}
			check(t, Disable(g))
			if i := Look(g.Root); i.Runs || masked(g.Root, target) != c.masked {
				t.Errorf("after Disable %+v, masked %v", i, masked(g.Root, target))
			}
			if told := strings.Join(warnings, " "); strings.Contains(told, "CLOUD_INIT=leave") != (c.verdict != off) || strings.Contains(told, "cloud-init.target is masked, because of ") != c.masked {
				t.Errorf("warnings %q", warnings)
			}
			if warnings = nil; c.masked {
				check(t, Disable(g))
			}
			if len(warnings) > 0 {
				t.Errorf("and again: %q", warnings)
			}
		})
	}
}

// TestKernelStops refuses an image whose kernel keeps cloud-init off before anything is written,
// and gives one that was masked back to it.
func TestKernelStops(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]string{
		"cloud-init=disabled": "the image's cloud-init does not run: disabled by cloud-init=disabled on the kernel's command line",
		"cloud-init=enabled":  "",
	} {
		var warnings []string
		d, g, _ := found(t, image(map[string]string{"boot/grub/grub.cfg": menu(option), "etc/systemd/system/cloud-init.target": "-> /dev/null"}), &warnings)
		early := CheckEnable(g.Root)
		err := d.Initialize(Instance{ID: "i-1"})
		for _, err := range []error{early, err} {
			if _, advised := errors.AsType[*outcome.Remedied](err); want == "" && err != nil || want != "" && (!advised || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: error %v, want %q and what to do about it", option, err, want)
			}
		}
		if g.Root.Has("/etc/systemd/system/cloud-init.target") {
			t.Errorf("%s: its target is still masked", option)
		}
	}
}

// TestForget has a machine's traces that cloud-init keeps, and an image that was never used.
func TestForget(t *testing.T) {
	t.Parallel()
	var warnings []string
	g := guest(t, tree.New(t, image(nil)), &warnings)
	check(t, Forget(g))
	if len(warnings) > 0 || len(g.Root.Changed()) > 0 {
		t.Errorf("warnings %q, changes %v of an image that was never used", warnings, g.Root.Changed())
	}
	g = guest(t, tree.New(t, image(map[string]string{
		"var/lib/cloud/instance": "-> /var/lib/cloud/instances/i-1", "var/lib/cloud/data/instance-id": "i-1\n", "var/lib/cloud/data/previous-instance-id": "i-0\n",
		"var/lib/cloud/instances/i-1/sem/config_ssh": "", "var/lib/cloud/instances/i-1/user-data.txt": "#!/bin/sh\n", "var/lib/cloud/sem/config_scripts_per_once.once": "",
		"var/lib/cloud/seed/nocloud/meta-data": "instance-id: i-1\n",
	})), &warnings)
	check(t, Forget(g))
	for p, there := range map[string]bool{
		"instance": false, "data/instance-id": false, "data/previous-instance-id": false, "instances/i-1/sem/config_ssh": false,
		"instances/i-1/user-data.txt": true, "sem/config_scripts_per_once.once": true, "seed/nocloud/meta-data": true,
	} {
		if g.Root.Has(library+"/"+p) != there {
			t.Errorf("%s is there: %v, want %v", p, !there, there)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"i-1"`) {
		t.Errorf("warnings %q", warnings)
	}
	warnings = nil
	check(t, Forget(g))
	if len(warnings) > 0 {
		t.Errorf("and again: %q", warnings)
	}
	many := map[string]string{}
	for n := range 1200 { // more than one pattern may find
		many[fmt.Sprintf("var/lib/cloud/instances/[%d]/sem/config_%d", n%30, n)] = ""
	}
	g = guest(t, tree.New(t, many), &warnings)
	check(t, Forget(g))
	if n := len(g.Root.Changed()); n != len(many) {
		t.Errorf("%d of %d files of many instances are gone", n, len(many))
	}
}
