package cloudinit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"snf-image/internal/spec"
)

// TestWaiting changes a machine that was not booted since it was told what to become: what it
// waits for stays, but for what is told anew. One that was booted begins anew.
func TestWaiting(t *testing.T) {
	t.Parallel()
	for _, booted := range []bool{false, true} {
		var warnings []string
		d, g, dir := found(t, image(map[string]string{"etc/ssh/ssh_host_rsa_key": ""}), &warnings)
		check(t, d.Initialize(Instance{ID: "i-1", Hostname: "web1", Keys: []string{"ssh-ed25519 AAAA"}, UserData: []byte("#!/bin/sh\n")}))
		check(t, d.SetHostname("web1"))
		check(t, d.LeaveNetwork())
		check(t, d.SetLogin(Login{Users: []string{"root"}, Missing: []string{"dave"}, Hashes: map[string]spec.Secret{"root": "$6$a$old", "dave": "$6$a$dave"}, Keys: []string{"ssh-ed25519 AAAA"}}))
		writeAll(t, dir, Staged(g.Root, []spec.File{{Path: "/etc/motd", Contents: []byte("first")}}, false))
		if booted {
			writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-1\n")}})
		}
		g.Living = true
		d, err := Find(g)
		check(t, err)
		check(t, d.Initialize(Instance{ID: "i-2", Keep: []string{spec.AssignHostname, spec.DeleteSSHKeys, spec.ConfigureNetwork}}))
		if g.Root.Has(stageDir+"/0") == booted { // left by a first boot that lost its power
			t.Errorf("booted %v: the copy of a file is there: %v", booted, booted)
		}
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
		for want, there := range map[string]bool{"$6$a$new": true, "$6$a$old": false, "preserve_hostname": booted, "ssh_deletekeys: false": true, "ssh_genkeytypes: [rsa]": booted} {
			if strings.Contains(strings.ReplaceAll(got, "preserve_hostname: false", ""), want) != there {
				t.Errorf("booted %v: %q is there: %v, want %v, in\n%s", booted, want, !there, there, got)
			}
		}
	}
}

// TestWaitingUsers tells of users anew that wait for the first boot: they keep the keys that they
// were given, and the password where nothing is said of that. One that is locked now has none.
func TestWaitingUsers(t *testing.T) {
	t.Parallel()
	for _, newer := range []bool{true, false} {
		var warnings []string
		d, _, dir := found(t, image(nil), &warnings)
		if !newer {
			writeAll(t, dir, []spec.File{{Path: "/usr/lib/python3/dist-packages/cloudinit/version.py", Contents: []byte("__VERSION__ = \"20.4\"\n")}})
		}
		users := []string{"dave", "erin", "frank"}
		d.guest.Living = true
		check(t, d.Initialize(Instance{ID: "i-1", Keys: []string{"ssh-ed25519 AAAA"}}))
		check(t, d.SetLogin(Login{Users: []string{"root"}, Missing: users, Keys: []string{"ssh-ed25519 AAAA"}, Hashes: map[string]spec.Secret{
			"root": "$6$a$old-root", "dave": "$6$a$old-dave", "erin": "$6$a$old-erin", "frank": "$6$a$old-frank",
		}}))
		check(t, d.Initialize(Instance{ID: "i-2", Keys: []string{"ssh-ed25519 BBBB"}}))
		check(t, d.SetLogin(Login{Users: []string{"root"}, Missing: users[:1], Hashes: map[string]spec.Secret{"root": "!", "dave": "$6$a$new-dave"}}))
		check(t, d.SetLogin(Login{Missing: users[1:2], Keys: []string{"ssh-ed25519 BBBB", "ssh-ed25519 AAAA"}}))
		check(t, d.SetLogin(Login{Missing: users[2:], Hashes: map[string]spec.Secret{"frank": "*"}}))
		want := []string{
			"root  true []", "dave $6$a$new-dave false [ssh-ed25519 AAAA]", "erin $6$a$old-erin false [ssh-ed25519 BBBB ssh-ed25519 AAAA]",
			"frank  true [ssh-ed25519 AAAA]", "erin:$6$a$old-erin", "dave:$6$a$new-dave",
		}
		if got := logins(t, d); !slices.Equal(got, want) {
			t.Errorf("newer %v: %q, want %q", newer, got, want)
		}
		if got := written(t, dir); !strings.Contains(got, "public-keys:\n    - ssh-ed25519 AAAA\n    - ssh-ed25519 BBBB\n") {
			t.Errorf("keys of the default user in\n%s", got)
		}
	}
}

// TestSettled tells of users of a machine that cloud-init has made: it does not make the others
// once more, which would lock their passwords, also not when more is told before it boots.
func TestSettled(t *testing.T) {
	t.Parallel()
	var warnings []string
	first, g, dir := found(t, image(nil), &warnings)
	check(t, first.Initialize(Instance{ID: "i-1"}))
	writeAll(t, dir, []spec.File{{Path: currentID, Contents: []byte("i-1\n")}})
	g.Living = true
	for _, c := range []struct {
		id    string
		login Login
		want  []any
	}{
		{"i-2", Login{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$6$a$root"}}, []any{"root"}},
		{"i-3", Login{Users: []string{"debian"}, Hashes: map[string]spec.Secret{"debian": "$6$a$debian"}}, []any{"root", "debian"}},
		{"i-4", Login{Missing: []string{"dave"}}, []any{"root", "debian", "dave"}},
		{"i-5", Login{Missing: []string{"debian"}}, []any{"root", "debian", "dave", "default"}},
	} {
		before, err := Find(g)
		check(t, err)
		check(t, before.Initialize(Instance{ID: c.id}))
		d, err := Find(g)
		check(t, err)
		check(t, d.SetLogin(c.login))
		var keep kept
		check(t, d.read(d.file(spec.InitializeDatasource), &keep))
		var s loginSettings
		check(t, d.read(d.file(spec.ChangePassword), &s))
		var names []any
		for _, entry := range s.Users {
			names = append(names, userName(entry))
			if m, ok := entry.(map[string]any); ok && m["hashed_passwd"] != nil && m["lock_passwd"] != false {
				t.Errorf("%s: the password of %v is locked", c.id, m["name"])
			}
		}
		if !slices.Equal(names, c.want) || keep.Users == nil || len(*keep.Users) > 0 {
			t.Errorf("%s: users %v, want %v, without %v", c.id, names, c.want, keep.Users)
		}
	}
}

// TestUnsettled has disks that hold an image as it was copied, which img_id=null configures, and
// machines that were not configured by cloud-init, which keep their users and SSH host keys. An
// image may have none.
func TestUnsettled(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		has  map[string]string
		made bool
	}{
		"an image":           {nil, true},
		"configured before":  {map[string]string{currentID: "iid-other\n"}, false},
		"kept from running":  {map[string]string{Disabled: ""}, false},
		"of a damaged state": {map[string]string{currentID: ""}, false},
	} {
		var warnings []string
		_, g, dir := found(t, image(map[string]string{"etc/ssh/ssh_host_rsa_key": ""}), &warnings)
		for p, text := range c.has {
			writeAll(t, dir, []spec.File{{Path: p, Contents: []byte(text)}})
		}
		g.Living = true
		d, err := Find(g)
		check(t, err)
		check(t, d.Initialize(Instance{ID: "i", Keep: []string{spec.DeleteSSHKeys}}))
		if got := written(t, dir); !strings.Contains(got, "ssh_deletekeys: false") || strings.Contains(got, "ssh_genkeytypes") == c.made {
			t.Errorf("%s: keys are made: %v, want %v, by\n%s", title, !c.made, c.made, got)
		}
		for n, login := range []Login{{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$6$a$root"}}, {Missing: []string{"dave"}}} {
			d, err := Find(g)
			check(t, err)
			check(t, d.Initialize(Instance{ID: fmt.Sprint("i-", n)}))
			check(t, d.SetLogin(login))
		}
		var s loginSettings
		check(t, d.read(d.file(spec.ChangePassword), &s))
		if made := s.Users.has("default"); made != c.made || strings.Contains(written(t, dir), "users: []") == c.made {
			t.Errorf("%s: the default user is made: %v, want %v, by\n%s", title, made, c.made, written(t, dir))
		}
	}
}

// logins are what ChangePassword's settings say of users and passwords.
func logins(t *testing.T, d Datasource) []string {
	t.Helper()
	var s loginSettings
	check(t, d.read(d.file(spec.ChangePassword), &s))
	var out []string
	for _, entry := range s.Users {
		if name := userName(entry); name != "default" && name != "carol" { // of the image
			var u account
			text, err := yaml.Marshal(entry)
			check(t, err)
			check(t, yaml.Unmarshal(text, &u))
			out = append(out, fmt.Sprint(u.Name, " ", u.Hash, " ", *u.Lock, " ", u.Keys))
		}
	}
	for _, u := range s.Chpasswd.Users {
		out = append(out, u.Name+":"+u.Hash)
	}
	return append(out, s.Chpasswd.List...)
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
