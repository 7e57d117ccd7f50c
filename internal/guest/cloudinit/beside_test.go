package cloudinit

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/spec"
)

// TestCheckBeside has a machine that was told what to become in several ways, and what of the
// tasks beside cloud-init its next boot would undo.
func TestCheckBeside(t *testing.T) {
	t.Parallel()
	const injected = "/etc/it's\nme"
	settled := func(t *testing.T, d Datasource, dir string) Datasource {
		writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-0\n")}})
		d.guest.Living = true
		again, err := Find(d.guest)
		check(t, err)
		return again
	}
	all := []string{spec.AssignHostname, spec.ChangePassword, spec.ConfigureNetwork, spec.DeleteSSHKeys, spec.EnforcePersonality}
	for title, c := range map[string]struct {
		tell   func(t *testing.T, d Datasource, dir string)
		undone []string
	}{
		"everything": {func(t *testing.T, d Datasource, _ string) {
			check(t, d.Initialize(Instance{ID: "i-1"}))
			check(t, d.SetLogin(Login{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$6$x"}}))
			check(t, d.write(NetworkConfig, []byte("version: 2\n"), 0o600))
			check(t, d.ReplaceHostKeys([]spec.HostKey{{Type: "ed25519", Private: "x", Public: "x"}}))
			for _, f := range Staged(d.guest.Root, []spec.File{{Path: injected, Owner: "carol"}}, false) {
				check(t, d.write(f.Path, f.Contents, f.Mode))
			}
		}, all[1:]},
		"what cloud-init does by itself": {func(t *testing.T, d Datasource, _ string) { check(t, d.Initialize(Instance{ID: "i-1"})) }, all[1:4]},
		"the network apart": {func(t *testing.T, d Datasource, _ string) {
			check(t, d.Initialize(Instance{ID: "i-1"}))
			check(t, d.LeaveNetwork())
		}, []string{spec.ChangePassword, spec.DeleteSSHKeys}},
		"kept": {func(t *testing.T, d Datasource, dir string) {
			check(t, settled(t, d, dir).Initialize(Instance{ID: "i-1", Keep: all}))
		}, nil},
		"kept, and told": {func(t *testing.T, d Datasource, dir string) {
			check(t, settled(t, d, dir).Initialize(Instance{ID: "i-1", Keep: all}))
			check(t, d.SetLogin(Login{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$6$x"}}))
		}, []string{spec.ChangePassword}},
		"booted": {func(t *testing.T, d Datasource, dir string) {
			check(t, d.Initialize(Instance{ID: "i-1"}))
			writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-1\n")}})
		}, nil},
		"kept from running": {func(t *testing.T, d Datasource, dir string) {
			check(t, d.Initialize(Instance{ID: "i-1"}))
			writeAll(t, dir, []spec.File{{Path: Disabled}})
		}, nil},
		"told by somebody else": {func(t *testing.T, _ Datasource, dir string) {
			writeAll(t, dir, []spec.File{{Path: metaPath, Contents: []byte("instance-id: i-1\n")}})
		}, nil},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			d, g, dir := found(t, image(nil), &warnings)
			c.tell(t, d, dir)
			g.Living = true
			changed := len(g.Root.Changed())
			for _, task := range all {
				err := CheckBeside(g, task, []spec.File{{Path: "/etc/it"}, {Path: "/etc/../" + injected}})
				_, advised := errors.AsType[*outcome.Remedied](err)
				if undone := slices.Contains(c.undone, task); advised != undone || undone != strings.Contains(outcomeText(err), "CLOUD_INIT=yes") {
					t.Errorf("%s: error %v, want one: %v", task, err, undone)
				}
			}
			if err := CheckBeside(g, spec.EnforcePersonality, []spec.File{{Path: "/etc/other"}}); err != nil {
				t.Errorf("another file: error %v", err)
			}
			if len(g.Root.Changed()) != changed {
				t.Errorf("changed: %q", g.Root.Changed()[changed:])
			}
		})
	}
}

// TestCheckBesideWithout has a machine without cloud-init, and one whose seed is damaged.
func TestCheckBesideWithout(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		damaged, err string
	}{
		"none": {"/usr/bin/cloud-init", ""}, "seed": {metaPath, "reading cloud-init's " + metaPath},
		"settings": {"/etc/cloud/cloud.cfg.d/98_snf-image-35InitializeDatasource.cfg", "reading cloud-init's /etc/cloud/cloud.cfg.d/98_snf-image-35"},
	} {
		var warnings []string
		d, g, _ := found(t, image(nil), &warnings)
		check(t, d.Initialize(Instance{ID: "i-1"}))
		g.Living = true
		if c.err == "" {
			check(t, g.Root.Remove(c.damaged))
		} else {
			check(t, d.write(c.damaged, []byte("x: ["), 0o600))
		}
		if err := CheckBeside(g, spec.ChangePassword, nil); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", title, err, c.err)
		}
	}
}

// TestBesideOddities has machines where what is not needed to see what waits cannot be read: what
// others wrote for cloud-init, which leaves that out as well, and a disk that is not here.
func TestBesideOddities(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		broken, booted, unmounted, refused bool
	}{
		"waiting, broken": {broken: true, refused: true}, "booted, broken": {broken: true, booted: true},
		"not all is here": {unmounted: true},
	} {
		var warnings []string
		d, g, dir := found(t, image(nil), &warnings)
		check(t, d.Initialize(Instance{ID: "i-1", Hostname: "web1"}))
		check(t, d.SetHostname("web1"))
		g.Living = true
		if c.broken {
			writeAll(t, dir, []spec.File{{Path: "/etc/cloud/cloud.cfg.d/50_own.cfg", Contents: []byte("x: [\n")}})
		}
		if c.booted {
			writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-1\n")}})
		}
		if c.unmounted {
			check(t, os.RemoveAll(dir+"/var/lib/cloud"))
			g.Unmounted = func(p string) string { return map[bool]string{true: "/var"}[strings.HasPrefix(p, "/var/")] }
		}
		err := CheckBeside(g, spec.ChangePassword, nil)
		if refused := strings.Contains(outcomeText(err), "CLOUD_INIT=yes"); refused != c.refused || !refused && err != nil {
			t.Errorf("%s: error %v, want one: %v", title, err, c.refused)
		}
		check(t, Rename(g, "web2"))
		if got := written(t, dir); !strings.Contains(got, "fqdn: web2\n") || strings.Contains(got, "web1") {
			t.Errorf("%s: renamed by\n%s", title, got)
		}
	}
}

// outcomeText is an error with what to do about it.
func outcomeText(err error) string {
	if r, ok := errors.AsType[*outcome.Remedied](err); ok {
		return r.Error() + "; " + r.Remedy
	}
	return ""
}
