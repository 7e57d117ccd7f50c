package cloudinit

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/tests/support"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

func guest(t *testing.T, made tree.Tree, warnings *[]string) system.Guest {
	t.Helper()
	root, err := rootfs.Open(made.Dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	return system.Guest{
		Root: root, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Unmounted: func(string) string { return "" },
		Warn:      func(format string, args ...any) { *warnings = append(*warnings, fmt.Sprintf(format, args...)) },
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// verdicts are what the images of distributions do at boot; the others have no cloud-init.
var verdicts = map[string]string{
	"leap-15": "runs at every boot: cloud-init-local.service is enabled",
	"leap-16": "runs at every boot: cloud-init-local.service is enabled",
	"sles-15": "runs at every boot: cloud-init-local.service is enabled",
	"alpine":  "runs at every boot: /etc/runlevels/boot/cloud-init-local",
	"kubuntu": "", "gentoo": "", "void": "", "slackware": "",
}

// TestCloudInitOfSystems keeps the cloud-init of each system from running.
func TestCloudInitOfSystems(t *testing.T) {
	t.Parallel()
	shown := support.Collect(t)
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			g := guest(t, s.Make(t, nil), &warnings)
			want, ok := verdicts[s.ID]
			if !ok {
				want = "runs where ds-identify finds a datasource"
			}
			if i := Look(g.Root); i.Verdict != want || i.Installed != (want != "") || i.Runs != (want != "") {
				t.Errorf("Look = %+v, want %q", i, want)
			}
			check(t, Disable(g))
			if i := Look(g.Root); i.Runs || i.Installed && i.Verdict != "disabled by "+Disabled {
				t.Errorf("after Disable: %+v", i)
			}
			if told := strings.Join(warnings, " "); strings.Contains(told, "CLOUD_INIT=leave") != (want != "") {
				t.Errorf("warnings %q", warnings)
			}
			if warnings = nil; want == "" {
				return
			}
			check(t, Disable(g))
			if len(warnings) > 0 {
				t.Errorf("and again: %q", warnings)
			}
			shown.Show(s.ID, "cloud-init", support.Transcribed)
		})
	}
}

// TestDisable has the ways in which cloud-init is started, and what is left of them.
func TestDisable(t *testing.T) {
	t.Parallel()
	const unit = "[Unit]\nDescription=x\n"
	for title, c := range map[string]struct {
		files   map[string]string
		verdict string // before
		want    map[string]string
	}{
		"not installed":  {map[string]string{"etc/cloud/cloud.cfg": ""}, "", map[string]string{Disabled: ""}},
		"policy":         {map[string]string{"usr/bin/cloud-init": "", "lib/systemd/system-generators/cloud-init-generator": "", "etc/cloud/ds-identify.cfg": "# x\npolicy: disabled\n"}, "disabled by /etc/cloud/ds-identify.cfg", nil},
		"disabled":       {map[string]string{"usr/bin/cloud-init": "", "lib/systemd/system-generators/cloud-init-generator": "", "etc/cloud/cloud-init.disabled": ""}, "disabled by " + Disabled, nil},
		"not enabled":    {map[string]string{"usr/bin/cloud-init": "", "usr/lib/systemd/system/cloud-init.service": unit}, "nothing starts it", map[string]string{"/etc/systemd/system/cloud-init.service": ""}},
		"newer unit":     {map[string]string{"usr/bin/cloud-init": "", "usr/lib/systemd/system/cloud-init-main.service": unit + "ConditionPathExists=!/etc/cloud/cloud-init.disabled\n", "etc/systemd/system/multi-user.target.wants/cloud-init-main.service": "-> /x"}, "runs at every boot: cloud-init-main.service is enabled", map[string]string{"/etc/systemd/system/cloud-init-main.service": ""}},
		"unit":           {map[string]string{"usr/bin/cloud-init": "", "usr/lib/systemd/system/cloud-init.service": unit, "etc/systemd/system/multi-user.target.wants/cloud-init.service": "-> /x"}, "runs at every boot: cloud-init.service is enabled", map[string]string{"/etc/systemd/system/cloud-init.service": "/dev/null"}},
		"own unit":       {map[string]string{"usr/bin/cloud-init": "", "etc/systemd/system/cloud-init.service": unit, "etc/systemd/system/multi-user.target.wants/cloud-init.service": "-> /x"}, "runs at every boot: cloud-init.service is enabled", map[string]string{"/etc/systemd/system/cloud-init.service": "/dev/null", "/etc/systemd/system/cloud-init.service.snf-image-orig": "file"}},
		"target":         {map[string]string{"usr/bin/cloud-init": "", "usr/lib/systemd/system/cloud-init.target": unit, "etc/systemd/system/multi-user.target.wants/cloud-init.target": "-> /x"}, "runs at every boot: cloud-init.target is enabled", map[string]string{"/etc/systemd/system/cloud-init.target": "/dev/null"}},
		"wanted by it":   {map[string]string{"usr/bin/cloud-init": "", "lib/systemd/system-generators/cloud-init-generator": "", "etc/systemd/system/cloud-init.target.wants/cloud-init.service": "-> /x", "etc/systemd/system/cloud-config.target.wants/cloud-init-hotplugd.socket": "-> /x"}, "runs where ds-identify finds a datasource", map[string]string{"/etc/systemd/system/cloud-init.service": "", "/etc/systemd/system/cloud-init-hotplugd.socket": ""}},
		"masked already": {map[string]string{"usr/bin/cloud-init": "", "etc/systemd/system/cloud-init.service": "-> /dev/null", "etc/systemd/system/multi-user.target.wants/cloud-init.service": "-> /x"}, "nothing starts it", nil},
		"old script":     {map[string]string{"usr/bin/cloud-init": "", "etc/init.d/cloud-init": "#!/sbin/openrc-run\n", "etc/runlevels/default/cloud-init": "-> /etc/init.d/cloud-init"}, "runs at every boot: /etc/runlevels/default/cloud-init", map[string]string{"/etc/runlevels/default/cloud-init": "", "/etc/init.d/cloud-init": "file"}},
		"System V": {
			map[string]string{"usr/bin/cloud-init": "", "etc/rc.d/init.d/cloud-init": "#!/bin/sh\n", "etc/init.d": "-> rc.d/init.d", "etc/rc3.d": "-> rc.d/rc3.d", "etc/rc.d/rc3.d/S52cloud-init": "-> ../init.d/cloud-init", "etc/rc.d/rc3.d/K52cloud-final": "-> ../init.d/cloud-final"},
			"runs at every boot: /etc/rc3.d/S52cloud-init",
			map[string]string{"/etc/rc.d/rc3.d/S52cloud-init": "", "/etc/rc.d/rc3.d/K52cloud-final": "../init.d/cloud-final"},
		},
		"tiny-cloud": {map[string]string{"sbin/tiny-cloud": "", "etc/init.d/tiny-cloud-boot": "", "etc/runlevels/boot/tiny-cloud-boot": "-> /etc/init.d/tiny-cloud-boot"}, "runs at every boot: /etc/runlevels/boot/tiny-cloud-boot", map[string]string{"/etc/runlevels/boot/tiny-cloud-boot": ""}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			g := guest(t, tree.New(t, c.files), &warnings)
			if i := Look(g.Root); i.Verdict != c.verdict {
				t.Errorf("Look = %+v, want %q", i, c.verdict)
			}
			check(t, Disable(g))
			if i := Look(g.Root); i.Runs {
				t.Errorf("after Disable: %+v", i)
			}
			for p, want := range c.want {
				got := ""
				if target, err := g.Root.Readlink(p); err == nil {
					got = target
				} else if g.Root.Has(p) {
					got = "file"
				}
				if got != want {
					t.Errorf("%s: %q, want %q", p, got, want)
				}
			}
		})
	}
}

// TestUpstart keeps the jobs of an old Ubuntu from being started, once.
func TestUpstart(t *testing.T) {
	t.Parallel()
	var warnings []string
	files := map[string]string{"usr/bin/cloud-init": "x", "sbin/initctl": "x", "etc/init/cloud-init.conf": "start on mounted\n", "etc/init/cloud-final.conf": "task\n", "etc/init/cloud-final.override": "nice 5\n"}
	made := tree.New(t, files)
	g := guest(t, made, &warnings)
	if i := Look(g.Root); i.Verdict != "runs at every boot: /etc/init/cloud-init.conf" || !i.Runs {
		t.Errorf("Look = %+v", i)
	}
	check(t, Disable(g))
	for p, want := range map[string]string{"etc/init/cloud-init.override": "manual\n", "etc/init/cloud-final.override": "nice 5\nmanual\n", "etc/init/cloud-init.conf": "start on mounted\n"} {
		if got := made.Content(t, p); got != want {
			t.Errorf("%s = %q, want %q", p, got, want)
		}
	}
	if i := Look(g.Root); i.Runs || i.Verdict != "disabled by "+Disabled {
		t.Errorf("Look = %+v afterwards", i)
	}
	if len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
	files["lib/systemd/systemd"] = "x"
	if i := Look(guest(t, tree.New(t, files), &warnings).Root); i.Runs {
		t.Errorf("Look = %+v where systemd is the init", i)
	}
}
