package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/oracle"
)

// guests is a system whose users laid links in the way of root.
func guests() images.Tree {
	users := "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n" +
		"cat:x:1010:1010::/srv/both:/bin/bash\ndog:x:1011:1011::/srv/both:/bin/bash\n"
	for uid, name := range []string{"linked", "other", "hard", "one", "two", "user"} {
		users += fmt.Sprintf("%[1]s:x:%[2]d:%[2]d::/home/%[1]s:/bin/bash\n", name, 1000+uid)
	}
	return images.Debian().With(
		images.Entry{Path: "etc/passwd", Data: users},
		images.Entry{Path: "etc/shadow", Mode: 0o640, GID: 42, Data: "root:the root's hash:19700:0:99999:7:::\n"},
		images.Entry{Path: "etc/ssh/sshd_config", Data: "Include /etc/ssh/sshd_config.d/*.conf\nMatch User one,two\n  AuthorizedKeysFile /etc/ssh/authorized_keys\n"},
		images.Entry{Path: "root/.ssh/", Mode: 0o700},
		images.Entry{Path: "home/linked/", UID: 1000, GID: 1000},
		images.Entry{Path: "home/linked/.ssh", UID: 1000, GID: 1000, Link: "/root/.ssh"},
		images.Entry{Path: "home/other/", UID: 1001, GID: 1001},
		images.Entry{Path: "home/other/.ssh/", UID: 1001, GID: 1001, Mode: 0o700},
		images.Entry{Path: "home/other/.ssh/authorized_keys", UID: 1001, GID: 1001, Link: "/etc/shadow"},
		images.Entry{Path: "home/hard/", UID: 1002, GID: 1002},
		images.Entry{Path: "home/hard/.ssh/", UID: 1002, GID: 1002, Mode: 0o700},
		images.Entry{Path: "home/hard/.ssh/authorized_keys", Hard: "etc/shadow"},
		images.Entry{Path: "home/user/", UID: 1005, GID: 1005, Mode: 0o700},
		images.Entry{Path: "srv/both/"},
		images.Entry{Path: "lib64", Link: "usr/lib64"},
		images.Entry{Path: "run/sshd/"},
		images.Entry{Path: "var/tmp/", Mode: 0o1777},
		images.Entry{Path: "var/tmp/drop", UID: 1000, GID: 1000, Link: "/etc"},
	)
}

// TestGuestsCannotLeadKeysAstray customizes a machine with keys and files whose
// places unprivileged accounts of it prepared, looked at with debugfs.
func TestGuestsCannotLeadKeysAstray(t *testing.T) {
	harness.Gate(t, "debugfs", "sshd", "ssh", "unshare", "chroot")
	j := newJob(t, images.Primary("ext4", guests()))
	copyFile(t, j.image, j.disk)
	before := oracle.ReadTree(t, j.disk, 1)
	identity := filepath.Join(j.dir, "id")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", identity)
	keys := identity + ".pub"
	for _, c := range []struct {
		link string
		args []string
	}{
		{`/home/linked/.ssh is a symbolic link, to "/root/.ssh"`, []string{"--authorized-keys", keys, "--property", "USERS=linked"}},
		{`/home/other/.ssh/authorized_keys is a symbolic link, to "/etc/shadow"`, []string{"--authorized-keys", keys, "--property", "USERS=user other"}},
		{`/home/hard/.ssh/authorized_keys is a file that the user "hard" cannot read`, []string{"--authorized-keys", keys, "--property", "USERS=hard"}},
		{`/var/tmp/drop is a symbolic link, to "/etc"`, []string{"--file", keys + ":/var/tmp/drop/x", "--property", "EXCLUDE_TASK_CHANGEPASSWORD=yes"}},
	} {
		args := append([]string{
			"customize", "--disk", j.disk, "--property", "EXCLUDE_TASK_DELETESSHKEYS=yes",
			"--property", "EXCLUDE_TASK_CHANGEMACHINEID=yes", "--property", "EXCLUDE_TASK_CONFIGURENETWORK=yes",
		}, c.args...)
		o := site.Run(t, args...)
		o.Fails(t, 8, "ChangePassword|EnforcePersonality")
		if !strings.Contains(o.Stderr, c.link) {
			t.Errorf("%q is not in the log\n%s", c.link, o)
		}
	}
	if d := oracle.Changed(before, oracle.ReadTree(t, j.disk, 1)); len(d) > 0 {
		t.Errorf("refused, and yet changed: %q", d)
	}
	checkSharedKeys(t, j, keys)
	checkLogins(t, j, identity, "root", "one", "two", "cat", "dog", "user")
	j.done()
}

// checkSharedKeys gives keys to two users by one file, to two by one home, and to
// two by homes of their own.
func checkSharedKeys(t *testing.T, j *job, keys string) {
	t.Helper()
	for range 2 { // again: each key once
		site.Run(t, "customize", "--disk", j.disk, "--property", "USERS=root one two cat dog user", "--authorized-keys", keys).OK(t)
	}
	const file = "/etc/ssh/authorized_keys"
	for p, want := range map[string]string{
		file:             "regular 0644 0:0",
		"/srv/both/.ssh": "directory 0755 0:0", "/srv/both/.ssh/authorized_keys": "regular 0644 0:0",
		"/home/user/.ssh": "directory 0700 1005:1005", "/home/user/.ssh/authorized_keys": "regular 0600 1005:1005",
		"/root/.ssh/authorized_keys": "regular 0600 0:0",
		"/etc/shadow":                "regular 0640 0:42",
	} {
		if got := oracle.Stat(t, j.disk, 1, p); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
	public, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{file, "/srv/both/.ssh/authorized_keys"} {
		if got := oracle.ReadFile(t, j.disk, 1, p); got != string(public) {
			t.Errorf("%s = %q, want the key once", p, got)
		}
	}
	if got := oracle.Stat(t, j.disk, 1, "/home/one"); got != "" {
		t.Errorf("/home/one is %q, want none", got)
	}
	config := j.file("sshd_config", strings.Replace(oracle.ReadFile(t, j.disk, 1, "etc/ssh/sshd_config"), "Include", "#", 1))
	key := filepath.Join(j.dir, "host_key")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", key)
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd wants it even for this
		t.Fatal(err)
	}
	for _, user := range []string{"one", "two"} {
		out, err := exec.Command("sshd", "-T", "-f", config, "-h", key, "-C", "user="+user+",host=x,addr=192.0.2.1").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "authorizedkeysfile "+file+"\n") {
			t.Errorf("sshd -T for %s: %v, no %s in\n%s", user, err, file, out)
		}
	}
}

// checkLogins has the node's own sshd, in the disk's tree and with its
// configuration, let the users in by the key alone.
func checkLogins(t *testing.T, j *job, identity string, users ...string) {
	t.Helper()
	host := filepath.Join(j.dir, "host")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", host)
	oracle.Mounted(t, j.disk, 1, func(dir string) {
		server := fmt.Sprintf("mount --bind /usr %[1]s/usr && mount --bind /dev %[1]s/dev && mount -t tmpfs tmpfs %[1]s/mnt && "+
			"cp %[2]s %[1]s/mnt/host && exec chroot %[1]s /usr/sbin/sshd -i -e -o UsePAM=no -o HostKey=/mnt/host", dir, host)
		for _, user := range users {
			cmd := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-i", identity, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
				"-o", "PreferredAuthentications=publickey", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
				"-o", "ProxyCommand=unshare --mount --propagation private sh -c '"+server+"'", user+"@machine", "id -u; pwd")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("sshd does not let %s in: %v\n%s", user, err, out)
			}
		}
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFilesystemsOfTheirOwn deploys an image whose /usr, with sshd in it, and one of
// whose host keys lie on file systems of their own. ssh-keygen judges the keys.
func TestFilesystemsOfTheirOwn(t *testing.T) {
	const usr, keys = "5eed0000-0000-4000-8000-0000000000b1", "5eed0000-0000-4000-8000-0000000000b2"
	key := filepath.Join(harness.Dir(t), "mine")
	keygen(t, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key)
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	var root, below images.Tree
	for _, e := range images.Debian() {
		if rest, in := strings.CutPrefix(e.Path, "usr/"); in {
			e.Path = rest
			below = append(below, e)
		} else {
			root = append(root, e)
		}
	}
	root = root.With(
		images.Entry{Path: "usr/"}, images.Entry{Path: "srv/keys/"},
		images.Entry{Path: "etc/fstab", Data: "UUID=" + images.RootUUID + " / ext4 defaults 0 1\nUUID=" + usr + " /usr ext4 defaults 0 1\nUUID=" + keys + " /srv/keys ext4 defaults 0 2\n"},
		images.Entry{Path: "etc/ssh/sshd_config", Data: "HostKey /srv/keys/mine\nHostKey /etc/ssh/ssh_host_ed25519_key\nHostKey /srv/keys/new\n"},
	).Without("etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub", "etc/ssh/ssh_host_ecdsa_key", "etc/ssh/ssh_host_ecdsa_key.pub")
	ext := func(number int, start int64, uuid string, tree images.Tree) images.Part {
		return images.Part{Number: number, Start: start, MiB: 16, Type: "83", FS: "ext4", FSUUID: uuid, Tree: tree}
	}
	j := newJob(t, images.Image{Label: "dos", MiB: 98, Parts: []images.Part{
		ext(1, 1, usr, below),
		ext(2, 17, keys, images.Tree{{Path: "mine", Mode: 0o600, Data: string(private)}}),
		images.Root(3, 33, "ext4", root),
	}})
	reportFile := filepath.Join(j.dir, "report.json")
	site.Run(t, j.args("--report", reportFile)...).OK(t)
	j.done()

	got := map[string]string{}
	prints := map[string]bool{}
	for name, at := range map[string]struct {
		part int
		path string
	}{
		"mine": {2, "mine"}, "new": {2, "new"}, "ed25519": {3, "etc/ssh/ssh_host_ed25519_key"},
	} {
		text := oracle.ReadFile(t, j.disk, at.part, at.path)
		if text == string(private) {
			t.Errorf("%s is the image's key", name)
		}
		copied := filepath.Join(j.dir, name)
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-y", "-P", "", "-f", copied).Output()
		if err != nil {
			t.Errorf("ssh-keygen cannot read the key %s: %v", name, err)
			continue
		}
		got[name] = strings.Fields(string(out))[0] + " " + oracle.Stat(t, j.disk, at.part, "/"+at.path)
		list, err := exec.Command("ssh-keygen", "-lf", copied).Output()
		if err != nil {
			t.Fatal(err)
		}
		prints[strings.Fields(string(list))[1]] = true
	}
	want := map[string]string{
		"mine": "ssh-rsa regular 0600 0:0", "new": "ssh-ed25519 regular 0600 0:0", "ed25519": "ssh-ed25519 regular 0600 0:0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("host keys (-want +got):\n%s", d)
	}
	for _, k := range readReport(t, reportFile).HostKeys {
		if !prints[k.Fingerprint] {
			t.Errorf("the report's %s key %s is not on the disk", k.Type, k.Fingerprint)
		}
	}
}
