package cloudinit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/internal/spec"
)

// TestWaiting changes a machine that was not booted since it was told what to become: what it
// waits for stays, but for what is told anew. One that was booted begins anew.
func TestWaiting(t *testing.T) {
	t.Parallel()
	for _, booted := range []bool{false, true} {
		var warnings []string
		d, g, dir := found(t, image(nil), &warnings)
		check(t, d.Initialize(Instance{ID: "i-1", Hostname: "web1", Keys: []string{"ssh-ed25519 AAAA"}, UserData: []byte("#!/bin/sh\n")}))
		check(t, d.SetHostname("web1"))
		check(t, d.LeaveNetwork())
		check(t, d.SetLogin(Login{Users: []string{"root"}, Missing: []string{"dave"}, Hashes: map[string]spec.Secret{"root": "$6$a$old", "dave": "$6$a$dave"}, Keys: []string{"ssh-ed25519 AAAA"}}))
		writeAll(t, dir, Staged(g.Root, []spec.File{{Path: "/etc/motd", Contents: []byte("first")}}, false))
		if booted {
			writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-1\n")}})
		}
		g.Living, d.guest.Living = true, true
		check(t, d.Initialize(Instance{ID: "i-2", Keep: []string{spec.AssignHostname, spec.DeleteSSHKeys, spec.ConfigureNetwork}}))
		check(t, d.SetLogin(Login{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$6$a$new"}}))
		writeAll(t, dir, Staged(g.Root, []spec.File{{Path: "/etc/issue", Contents: []byte("second")}}, false))
		got := written(t, dir)
		for want, waits := range map[string]bool{
			"instance-id: i-2\nlocal-hostname: web1\npublic-keys:": true, "user-data --\n#!/bin/sh\n": true,
			"fqdn: web1": true, "$6$a$dave": true, "disable_root: false": true, "network:\n    config: disabled": true,
			"put /var/lib/snf-image/personality/0 '/etc/motd'": true, "put /var/lib/snf-image/personality-2/0 '/etc/issue'": true,
		} {
			if waits = waits && !booted || strings.HasPrefix(want, "disable_root") || strings.HasPrefix(want, "network:"); strings.Contains(got, want) != waits {
				t.Errorf("booted %v: %q is there: %v, want %v, in\n%s", booted, want, !waits, waits, got)
			}
		}
		for want, there := range map[string]bool{"$6$a$new": true, "$6$a$old": false, "preserve_hostname": booted, "ssh_deletekeys: false\nssh_genkeytypes: []": true} {
			if strings.Contains(strings.ReplaceAll(got, "preserve_hostname: false", ""), want) != there {
				t.Errorf("booted %v: %q is there: %v, want %v, in\n%s", booted, want, !there, there, got)
			}
		}
	}
}

// TestWaitingNetwork forgets a network that is told anew, in whatever form it waits.
func TestWaitingNetwork(t *testing.T) {
	t.Parallel()
	var warnings []string
	d, g, _ := found(t, image(nil), &warnings)
	check(t, d.Initialize(Instance{ID: "i-1"}))
	check(t, d.LeaveNetwork())
	check(t, d.write(NetworkConfig, []byte("version: 2\n"), 0o600))
	d.guest.Living = true
	check(t, d.Initialize(Instance{ID: "i-2"}))
	if g.Root.Has(NetworkConfig) || g.Root.Has(d.file(spec.ConfigureNetwork)) {
		t.Error("the network of before is there")
	}
}

// TestWaitingDamaged tells of files that are not as we wrote them.
func TestWaitingDamaged(t *testing.T) {
	t.Parallel()
	for _, p := range []string{metaPath, "/etc/cloud/cloud.cfg.d/98_snf-image-50ChangePassword.cfg"} {
		var warnings []string
		d, _, _ := found(t, image(nil), &warnings)
		check(t, d.Initialize(Instance{ID: "i-1"}))
		d.guest.Living = true
		check(t, d.write(p, []byte("x: ["), 0o600))
		err := d.Initialize(Instance{ID: "i-2"})
		if err == nil {
			err = d.SetLogin(Login{Users: []string{"root"}})
		}
		if err == nil || !strings.Contains(err.Error(), "reading cloud-init's "+p) {
			t.Errorf("error %v, want one about %s", err, p)
		}
	}
}

// writeAll writes files below dir.
func writeAll(t *testing.T, dir string, files []spec.File) {
	t.Helper()
	for _, f := range files {
		p := filepath.Join(dir, f.Path)
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(t, os.WriteFile(p, f.Contents, 0o600))
	}
}
