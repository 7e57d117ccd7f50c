package cloudinit

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
	"snf-image/tests/golden"
	"snf-image/tests/tree"
)

const cloudCfg = `users:
   - default
   - name: carol
     gecos: of the image
disable_root: true
cloud_final_modules:
 - scripts-per-once
 - [scripts-user, always]
system_info:
   distro: debian
   default_user:
     name: debian
     lock_passwd: True
     gecos: Debian
     groups: [adm, sudo]
     sudo: ["ALL=(ALL) NOPASSWD:ALL"]
     shell: /bin/bash
`

// image is a Debian with cloud-init, which another machine may have used.
func image(changes map[string]string) map[string]string {
	files := map[string]string{
		"usr/bin/cloud-init": "", "etc/cloud/cloud.cfg": cloudCfg, "etc/cloud/cloud.cfg.d/05_logging.cfg": "# nothing\n",
		"lib/systemd/system-generators/cloud-init-generator": "",
		"usr/lib/python3/dist-packages/cloudinit/version.py": "__VERSION__ = \"22.4.2\"\n",
		"etc/hosts": "127.0.0.1 localhost\n127.0.1.1 image\n",
	}
	maps.Copy(files, changes)
	for name, content := range files {
		if content == "-" {
			delete(files, name)
		}
	}
	return files
}

func found(t *testing.T, files map[string]string, warnings *[]string) (Datasource, system.Guest, string) {
	t.Helper()
	made := tree.New(t, files)
	g := guest(t, made, warnings)
	d, err := Find(g)
	check(t, err)
	return d, g, made.Dir
}

// written is an archive of our files in the directories that cloud-init reads.
func written(t *testing.T, dir string) string {
	t.Helper()
	var out txtar.Archive
	for _, below := range []string{"etc/cloud", "var/lib/cloud"} {
		check(t, filepath.WalkDir(filepath.Join(dir, below), func(p string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil
			}
			data, err := os.ReadFile(p)
			st, _ := e.Info()
			name, _ := filepath.Rel(dir, p)
			if strings.HasPrefix(e.Name(), ownSettings) || strings.Contains(p, "seed/nocloud-net") {
				if mode := st.Mode().Perm(); mode&0o077 != 0 {
					t.Errorf("%s has the mode %o", name, mode)
				}
				out.Files = append(out.Files, txtar.File{Name: name, Data: data})
			}
			return err
		}))
	}
	return string(txtar.Format(&out))
}

// TestSettings has every file that cloud-init reads, as golden files.
func TestSettings(t *testing.T) {
	t.Parallel()
	login := Login{
		Users: []string{"root"}, Missing: []string{"debian", "dave"}, AllowSSH: true, Keys: []string{"ssh-ed25519 AAAA me"},
		Hashes: map[string]spec.Secret{"root": "$6$salt$root", "debian": "$6$salt$debian", "dave": "$6$salt$dave"},
	}
	for title, c := range map[string]struct {
		changes  map[string]string
		instance Instance
		login    Login
	}{
		"whole":     {nil, Instance{ID: "i-1", Hostname: "web1.example.org", Keys: login.Keys, UserData: []byte("#cloud-config\npackages: [vim]\n")}, login},
		"old":       {map[string]string{"usr/lib/python3/dist-packages/cloudinit/version.py": "__VERSION__ = \"20.4.1\"\n"}, Instance{ID: "i-1"}, login},
		"yescrypt":  {map[string]string{"usr/lib/python3/dist-packages/cloudinit/version.py": "__VERSION__ = \"20.4.1\"\n"}, Instance{ID: "i-1"}, Login{Users: []string{"root"}, Hashes: map[string]spec.Secret{"root": "$y$j9T$a$b"}}},
		"locked":    {nil, Instance{ID: "i-1"}, Login{Users: []string{"root"}, Missing: []string{"debian"}, Hashes: map[string]spec.Secret{"root": "!", "debian": "*"}, AllowSSH: true}},
		"keys":      {nil, Instance{ID: "i-1", Keys: login.Keys}, Login{Users: []string{"root"}, Keys: login.Keys}},
		"made":      {nil, Instance{ID: "i-1", Keys: login.Keys}, Login{Missing: []string{"dave"}, Keys: login.Keys}},
		"kept":      {map[string]string{"etc/ssh/ssh_host_rsa_key": "", "etc/ssh/ssh_host_ed25519_key": ""}, Instance{ID: "i-1", Keep: []string{spec.AssignHostname, spec.DeleteSSHKeys, spec.ConfigureNetwork}, Debug: true}, login},
		"no script": {map[string]string{"etc/cloud/cloud.cfg": "users: []\ncloud_final_modules: [final-message]\n"}, Instance{ID: "i-1"}, Login{Users: []string{"root"}}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			d, _, dir := found(t, image(c.changes), &warnings)
			d.settled = title == "kept"
			check(t, d.Initialize(c.instance))
			check(t, d.SetLogin(c.login))
			if title == "whole" {
				check(t, d.SetHostname("web1.example.org"))
				check(t, d.AddSwap(512))
				check(t, d.LeaveNetwork())
				check(t, d.ReplaceHostKeys([]spec.HostKey{{Type: "ed25519", Private: "-----BEGIN\nx\n-----END\n", Public: "ssh-ed25519 AAAA root"}}))
			}
			golden.File(t, filepath.Join("testdata", strings.ReplaceAll(title, " ", "-")+".txtar"), written(t, dir))
			if len(warnings) > 0 {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}

// TestForgetEarlier has what an earlier run or an image has that keeps cloud-init from our seed.
func TestForgetEarlier(t *testing.T) {
	t.Parallel()
	var warnings []string
	d, g, dir := found(t, image(map[string]string{
		"etc/cloud/cloud-init.disabled": "", "etc/cloud/ds-identify.cfg": "policy: disabled\n",
		"etc/init/cloud-init.override": "manual\n", "etc/init/cloud-final.override": "nice 5\nmanual\n",
		"etc/systemd/system/cloud-init.service": "-> /dev/null", "etc/systemd/system/cloud-init.service.snf-image-orig": "[Unit]\n",
		"etc/cloud/cloud.cfg.d/98_snf-image-50ChangePassword.cfg": "old", "var/lib/cloud/scripts/per-once/98_snf-image-60EnforcePersonality": "old",
		"etc/cloud/cloud.cfg.d/99-installer.cfg": "datasource_list: [None]\n", "etc/cloud/cloud.cfg.d/99_other.cfg": "packages: [vim]\n",
		"etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [NoCloud, None]\n", "etc/cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg": "network: {config: disabled}\n",
		"var/lib/cloud/seed/nocloud/meta-data": "instance-id: x\n", "var/lib/cloud/seed/nocloud-net/network-config": "old",
		"var/lib/cloud/instances/x/sem/y": "", "var/lib/cloud/instance": "-> instances/x", "var/lib/cloud/sem/config_scripts_per_once.once": "",
	}), &warnings)
	check(t, d.Initialize(Instance{ID: "i-2"}))
	want := map[string]bool{
		Disabled: false, "/etc/cloud/ds-identify.cfg": false, "/etc/cloud/ds-identify.cfg.snf-image-orig": true,
		"/etc/init/cloud-init.override": false, "/etc/init/cloud-final.override": true,
		"/etc/systemd/system/cloud-init.service": true, "/etc/systemd/system/cloud-init.service.snf-image-orig": false,
		"/etc/cloud/cloud.cfg.d/98_snf-image-50ChangePassword.cfg": false, "/var/lib/cloud/scripts/per-once/98_snf-image-60EnforcePersonality": false,
		"/etc/cloud/cloud.cfg.d/99-installer.cfg": false, "/etc/cloud/cloud.cfg.d/99_other.cfg": true, "/etc/cloud/cloud.cfg.d/90_dpkg.cfg": true,
		"/etc/cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg": false, "/var/lib/cloud/seed/nocloud": false,
		"/var/lib/cloud/seed/nocloud.snf-image-orig/meta-data": true, NetworkConfig: false, "/var/lib/cloud/instance": false,
		"/var/lib/cloud/instances/x/sem/y": true, "/var/lib/cloud/sem/config_scripts_per_once.once": false,
	}
	for p, there := range want {
		if g.Root.Has(p) != there {
			t.Errorf("%s is there: %v, want %v", p, !there, there)
		}
	}
	if len(warnings) != 4 {
		t.Errorf("warnings %q, want one for each that is set aside", warnings)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "etc/systemd/system/cloud-init.service")); err != nil || string(data) != "[Unit]\n" {
		t.Errorf("the image's own unit: %q, %v", data, err)
	}
	warnings = nil
	check(t, d.Initialize(Instance{ID: "i-3"}))
	if len(warnings) > 0 {
		t.Errorf("and again: %q", warnings)
	}
}

// TestRefused has the images that cloud-init cannot configure.
func TestRefused(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"none":           {map[string]string{"usr/bin/cloud-init": "-"}, "the image has no cloud-init, for which the property CLOUD_INIT=yes is"},
		"tiny-cloud":     {map[string]string{"usr/bin/cloud-init": "-", "sbin/tiny-cloud": ""}, "the image has tiny-cloud"},
		"no directory":   {map[string]string{"etc/cloud/cloud.cfg.d/05_logging.cfg": "-"}, "no directory /etc/cloud/cloud.cfg.d"},
		"not started":    {map[string]string{"lib/systemd/system-generators/cloud-init-generator": "-"}, "the image's cloud-init does not run: nothing starts it"},
		"damaged":        {map[string]string{"etc/cloud/cloud.cfg": "users: ["}, "reading cloud-init's /etc/cloud/cloud.cfg"},
		"damaged, later": {map[string]string{"etc/cloud/cloud.cfg.d/99_x.cfg": "users: ["}, "reading cloud-init's /etc/cloud/cloud.cfg.d/99_x.cfg"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			g := guest(t, tree.New(t, image(c.changes)), &warnings)
			d, err := Find(g)
			if early := CheckEnable(g.Root); title == "not started" && early == nil {
				t.Error("that nothing starts it is found when it was changed")
			}
			if err == nil {
				err = d.Initialize(Instance{ID: "i-1"})
			}
			if _, advised := errors.AsType[*outcome.Remedied](err); !advised || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q and what to do about it", err, c.want)
			}
		})
	}
}

// TestRename keeps the instance, and touches nothing on a machine that cloud-init did not name.
func TestRename(t *testing.T) {
	t.Parallel()
	var warnings []string
	d, g, dir := found(t, image(map[string]string{"etc/cloud/cloud.cfg.d": "-", "usr/local/etc/cloud/cloud.cfg.d/01_x.cfg": ""}), &warnings)
	check(t, Rename(g, "web2"))
	if got := written(t, dir); got != "" {
		t.Errorf("written: %s", got)
	}
	check(t, d.Initialize(Instance{ID: "i-1", Hostname: "web1", Keys: []string{"ssh-ed25519 AAAA"}}))
	check(t, d.SetHostname("web1"))
	check(t, Rename(g, "web2.example.org"))
	got := written(t, dir)
	for _, want := range []string{"hostname: web2.example.org\nfqdn: web2.example.org", "instance-id: i-1\nlocal-hostname: web2.example.org\npublic-keys:"} {
		if !strings.Contains(got, want) || strings.Contains(got, "web1") {
			t.Errorf("%s, want %q", got, want)
		}
	}
	check(t, d.write(metaPath, []byte("x: ["), 0o600))
	check(t, Rename(g, "web3"))
	if got := written(t, dir); !strings.Contains(got, "fqdn: web3\n") || !strings.Contains(fmt.Sprint(warnings), metaPath) {
		t.Errorf("with a damaged seed: %s, warnings %q", got, warnings)
	}
}

// TestUserData warns of what cloud-init would not read.
func TestUserData(t *testing.T) {
	t.Parallel()
	var warnings []string
	d, _, _ := found(t, image(nil), &warnings)
	check(t, d.Initialize(Instance{ID: "i-1", UserData: []byte("#cloud-config\nx: [\n")}))
	if len(warnings) != 1 || !strings.Contains(warnings[0], "not valid YAML") {
		t.Errorf("warnings %q", warnings)
	}
}

// TestRendersNetplan has the orders of renderers, and what makes them available.
func TestRendersNetplan(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		changes map[string]string
		want    bool
	}{
		"netplan alone":   {map[string]string{"usr/sbin/netplan": ""}, true},
		"nothing":         {nil, false},
		"ifupdown, too":   {map[string]string{"usr/sbin/netplan": "", "usr/sbin/ifup": ""}, false},
		"ordered":         {map[string]string{"usr/sbin/netplan": "", "usr/sbin/ifup": "", "etc/cloud/cloud.cfg.d/10.cfg": "system_info: {network: {renderers: [netplan, eni]}}"}, true},
		"another first":   {map[string]string{"usr/sbin/netplan": "", "etc/cloud/cloud.cfg.d/10.cfg": "system_info: {network: {renderers: [networkd, netplan]}}"}, false},
		"ifcfg":           {map[string]string{"usr/sbin/netplan": "", "etc/sysconfig/network-scripts/x": ""}, false},
		"without netplan": {map[string]string{"usr/sbin/netplan": "", "etc/cloud/cloud.cfg.d/10.cfg": "system_info: {network: {renderers: eni}}"}, false},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			var warnings []string
			d, g, _ := found(t, image(c.changes), &warnings)
			if got := d.Config.RendersNetplan(g.Root); got != c.want {
				t.Errorf("RendersNetplan = %v, want %v", got, c.want)
			}
		})
	}
}

// FuzzConfig reads what an image may have for a cloud.cfg, and writes its lists anew.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(cloudCfg))
	f.Add([]byte("users: &a [default, {name: x, groups: *b}]\nsystem_info: {default_user: {name: [1], groups: 'a, b', sudo: [x, y], doas: [permit x]}}\n"))
	f.Add([]byte("users: {a: true}\ncloud_final_modules: [[scripts-per-once, always], 1]\nmanage_etc_hosts: ~\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Config
		if len(data) > maxConfig || yaml.Unmarshal(data, &c) != nil {
			return
		}
		d := Datasource{Config: c}
		for _, name := range []string{"root", "debian"} {
			u, _ := d.user(Login{Missing: []string{"root", "debian"}, Hashes: map[string]spec.Secret{"root": "$6$x"}}, name)
			if _, err := yaml.Marshal(loginSettings{Users: append(entries{u}, c.Users...)}); err != nil {
				t.Errorf("writing users anew: %v", err)
			}
		}
		c.FinalModules.has("scripts-per-once")
	})
}
