package vm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// cloudDebian is a Debian whose cloud-init its generator starts.
func cloudDebian() images.Tree {
	return images.Debian().With(
		images.Entry{Path: "usr/bin/cloud-init", Mode: 0o755, Data: "#!/bin/false\n"},
		images.Entry{Path: "usr/lib/systemd/systemd", Mode: 0o755, Data: "#!/bin/false\n"},
		images.Entry{Path: "usr/lib/systemd/system-generators/cloud-init-generator", Mode: 0o755, Data: "#!/bin/false\n"},
		images.Entry{Path: "etc/cloud/cloud.cfg", Data: vendors["/etc/cloud/cloud.cfg"]},
		images.Entry{Path: "etc/cloud/cloud.cfg.d/05_logging.cfg", Data: "# nothing\n"},
	)
}

// TestCloudInitChanges gives a machine that its cloud-init configures another name, and then a
// password alone, before and after its first boot: what differs is what cloud-init is told. The
// instance is another one only where it has to do something, and what waits for the first boot
// stays. What that boot would undo is refused.
func TestCloudInitChanges(t *testing.T) {
	j := newJob(t, images.Primary("ext4", cloudDebian()))
	const settings, seed, mode = "/etc/cloud/cloud.cfg.d/98_snf-image-", "/var/lib/cloud/seed/nocloud-net/", "CLOUD_INIT=yes"
	reports := j.dir + "/report.json"
	site.Run(t, j.args(append(everything(j), "--property", mode, "--report", reports)...)...).OK(t)
	j.done()
	first := readReport(t, reports).CloudInitInstance
	read := func(p string) string { return oracle.ReadFile(t, j.disk, 1, p) }
	if got := read(seed + "meta-data"); first == "" || !strings.Contains(got, "instance-id: "+first+"\nlocal-hostname: web1.example.org\n") {
		t.Errorf("meta-data %q of the instance %q", got, first)
	}
	before := oracle.Digest(t, j.disk, 0, -1) // the first boot would undo it
	args := j.customized("--password-file", j.file("new", "another horse\n"), "--new-identity", "--file", j.file("motd", "x")+":/etc/motd")
	site.Run(t, args...).Fails(t, 8, "nothing is changed, since ChangePassword cannot be done: the machine was not booted since .*set the property CLOUD_INIT=yes")
	if oracle.Digest(t, j.disk, 0, -1) != before {
		t.Error("what was refused changed the disk")
	}
	for _, c := range []struct {
		title string
		args  []string
		want  []string
		same  bool // instance
		has   map[string]string
	}{
		{"rename", []string{"--name", "web2.example.org"}, []string{
			"! " + settings + "50AssignHostname.cfg", "! /etc/hostname", "! /etc/hosts", "! " + seed + "meta-data",
		}, true, map[string]string{
			settings + "50AssignHostname.cfg": "fqdn: web2.example.org\n", seed + "meta-data": "local-hostname: web2.example.org\n",
		}},
		{"password", []string{"--property", mode, "--password-file", j.file("new", "another horse\n")}, []string{
			"! " + settings + "50ChangePassword.cfg", "! " + seed + "meta-data",
		}, false, map[string]string{
			settings + "50ChangePassword.cfg": "name: root\n", seed + "meta-data": "local-hostname: web2.example.org\n",
		}},
		{"booted", []string{"--property", mode, "--password-file", j.file("new", "a third horse\n")}, []string{
			"! " + settings + "35InitializeDatasource.cfg", "- " + settings + "50AssignHostname.cfg", "! " + settings + "50ChangePassword.cfg",
			"- " + settings + "50ConfigureNetwork.cfg", "- " + settings + "50DeleteSSHKeys.cfg",
			"- /var/lib/cloud/scripts/per-once/98_snf-image-60EnforcePersonality", "! " + seed + "meta-data",
			"- /var/lib/snf-image/personality/0",
		}, false, map[string]string{
			settings + "35InitializeDatasource.cfg": "preserve_hostname: true\nssh_deletekeys: false\nssh_genkeytypes: [rsa, ecdsa, ed25519]\nnetwork:\n    config: disabled\nusers: []\n",
		}},
		{"booted, without it", []string{"--password-file", j.file("new", "a fourth horse\n")}, []string{"! /etc/shadow"}, false, nil},
	} {
		if strings.HasPrefix(c.title, "booted") {
			furnish(t, j.disk, 1, map[string]string{"/var/lib/cloud/data/instance-id": readReport(t, reports).CloudInitInstance + "\n"})
		}
		before := oracle.ReadTree(t, j.disk, 1)
		site.Run(t, j.customized(append(c.args, "--report", reports)...)...).OK(t)
		j.done()
		if d := cmp.Diff(c.want, oracle.Changed(before, oracle.ReadTree(t, j.disk, 1))); d != "" {
			t.Errorf("%s: changes (-want +got):\n%s", c.title, d)
		}
		for p, want := range c.has {
			if got := read(p); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q, want %q", c.title, p, got, want)
			}
		}
		if same := strings.Contains(read(seed+"meta-data"), "instance-id: "+first+"\n"); same != c.same {
			t.Errorf("%s: the same instance: %v, want %v", c.title, same, c.same)
		}
	}
}

// TestCloudInitCopied configures a disk that an image was copied to, as img_id=null does: its
// cloud-init makes the image's default user.
func TestCloudInitCopied(t *testing.T) {
	j := newJob(t, images.Primary("ext4", cloudDebian()))
	j.disk = j.image
	site.Run(t, j.customized("--all", "--name", "web1", "--property", "CLOUD_INIT=yes", "--password-file", j.file("new", "a horse\n"))...).OK(t)
	j.done()
	if got := oracle.ReadFile(t, j.disk, 1, "/etc/cloud/cloud.cfg.d/98_snf-image-50ChangePassword.cfg"); !strings.Contains(got, "    - default\n") {
		t.Errorf("cloud-init is told %q", got)
	}
}
