package task

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/spec"
)

const passwdFile = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1001:Ann:/home/ann:/bin/bash\n"

func TestChangePasswordHash(t *testing.T) {
	t.Parallel()
	entry := ":$6$new:20000:0:99999:7:::\n"
	for title, c := range map[string]struct {
		users          []string
		passwd, shadow string // "" means no such file
		wantPasswd     string
		wantShadow     string
		err            string
	}{
		"two users": {
			[]string{"root", "ann"},
			passwdFile, "root:!:1::::::\nbin:*:1::::::\nann:!!:\n",
			passwdFile, "root" + entry + "bin:*:1::::::\nann" + entry, "",
		},
		"missing entry":      {[]string{"ann"}, passwdFile, "root:!:1::::::\n", passwdFile, "root:!:1::::::\nann" + entry, ""},
		"field not shadowed": {[]string{"root"}, "root::0:0::/root:\n", "root:!:1::::::\n", "root:x:0:0::/root:\n", "root" + entry, ""},
		"no shadow file":     {[]string{"root"}, "root:old:0:0::/root:\n", "", "root:$6$new:0:0::/root:\n", "", ""},
		"user missing":       {[]string{"root", "bob"}, passwdFile, "root:!:1\n", passwdFile, "root:!:1\n", `no user "bob", which the property USERS names`},
		"shadow is a FIFO":   {[]string{"root"}, passwdFile, "FIFO", passwdFile, "", "a FIFO"},
		"shadow is a loop":   {[]string{"root"}, passwdFile, "-> shadow", passwdFile, "", "too many levels"},
		"shadow leads out":   {[]string{"root"}, "root:x:0:0::/root:\n", "-> OUTSIDE/shadow", "root:$6$new:0:0::/root:\n", "", ""},
		"passwd is a FIFO":   {[]string{"root"}, "FIFO", "root:!:1\n", "", "root:!:1\n", "a FIFO"},
		"passwd is missing":  {[]string{"root"}, "", "root:!:1\n", "", "root:!:1\n", "no such file"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc": "DIR"}
			if c.passwd != "" {
				files["etc/passwd"] = c.passwd
			}
			if c.shadow != "" {
				files["etc/shadow"] = c.shadow
			}
			r := newImageRun(t, files)
			r.Plan.Users = c.users
			r.Credentials.Hashes = map[string]spec.Secret{"root": "$6$new", "ann": "$6$new", "bob": "$6$new"}
			err := r.do(t, changePassword)
			wants(t, err, c.err)
			if c.wantPasswd != "" && r.content(t, "etc/passwd") != c.wantPasswd {
				t.Errorf("passwd = %q, want %q", r.content(t, "etc/passwd"), c.wantPasswd)
			}
			if c.wantShadow != "" && r.content(t, "etc/shadow") != c.wantShadow {
				t.Errorf("shadow = %q, want %q", r.content(t, "etc/shadow"), c.wantShadow)
			}
		})
	}
}

func TestChangePasswordNothing(t *testing.T) {
	t.Parallel()
	r := newImageRun(t, nil)
	if _, skipped := errors.AsType[*Skipped](r.do(t, changePassword)); !skipped {
		t.Error("nothing to set, want skipped")
	}
	r = newImageRun(t, map[string]string{"etc/passwd": passwdFile, "etc/shadow": "root:!:1\n"})
	r.Credentials.Hashes = map[string]spec.Secret{"ann": "x"}
	wants(t, r.do(t, changePassword), `no password hash came for the user "root"`)
	if got := r.content(t, "etc/shadow"); got != "root:!:1\n" {
		t.Errorf("shadow = %q", got)
	}
}

func TestAuthorizedKeys(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	keys := "ssh-ed25519 AAAA one\nssh-rsa BBBB two\n"
	for title, c := range map[string]struct {
		user  string
		files map[string]string
		file  string
		want  string
		dirs  map[string]string // directory → mode and owner
		err   string
		warns int
	}{
		"new": {
			"ann",
			map[string]string{"home": "DIR"},
			"home/ann/.ssh/authorized_keys", keys,
			map[string]string{"home": "755 0", "home/ann": "700 1000", "home/ann/.ssh": "700 1000"},
			"", 0,
		},
		"appended": {
			"ann",
			map[string]string{"home/ann/.ssh/authorized_keys": "# mine\nssh-rsa BBBB two"},
			"home/ann/.ssh/authorized_keys",
			"# mine\nssh-rsa BBBB two\nssh-ed25519 AAAA one\n",
			map[string]string{"home/ann/.ssh": "755 0"},
			"", 0,
		},
		"file of the server": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "Match User x\nAuthorizedKeysFile /no\nMatch all\n", "home": "DIR"},
			"home/ann/.ssh/authorized_keys", keys, nil, "", 0,
		},
		"tokens": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "authorizedKEYSfile %h/keys/%u-%U%% other\n", "home": "DIR"},
			"home/ann/keys/ann-1000%", keys, nil, "", 0,
		},
		"outside of the home": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/ssh/keys/%u\n"},
			"etc/ssh/keys/ann", keys,
			map[string]string{"etc/ssh/keys": "755 0"},
			"", 0,
		},
		"none":                    {"ann", map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile none\n"}, "", "", nil, "", 1},
		"unknown token":           {"ann", map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile %x\n"}, "", "", nil, "unknown token %x", 0},
		"lone percent":            {"ann", map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile a%\n"}, "", "", nil, "single %", 0},
		"config is a FIFO":        {"ann", map[string]string{"etc/ssh/sshd_config": "FIFO"}, "", "", nil, "a FIFO", 0},
		"directory leads out":     {"ann", map[string]string{"home/ann/.ssh": "-> OUTSIDE"}, "", "", nil, "/home/ann/.ssh is a symbolic link", 0},
		"directory leads up":      {"ann", map[string]string{"home/ann/.ssh": "-> ../../../../../../OUTSIDE"}, "", "", nil, "symbolic link", 0},
		"directory is a FIFO":     {"ann", map[string]string{"home/ann/.ssh": "FIFO"}, "", "", nil, "not a directory", 0},
		"directory leads to FIFO": {"ann", map[string]string{"home/ann/.ssh": "-> /f", "f": "FIFO"}, "", "", nil, "symbolic link", 0},
		"file is a FIFO":          {"ann", map[string]string{"home/ann/.ssh/authorized_keys": "FIFO"}, "", "", nil, "a FIFO", 0},
		"file is a directory":     {"ann", map[string]string{"home/ann/.ssh/authorized_keys": "DIR"}, "", "", nil, "a directory", 0},
		"file never ends":         {"ann", map[string]string{"home/ann/.ssh/authorized_keys": "ZERO"}, "", "", nil, "a device node", 0},
		"home is a loop":          {"ann", map[string]string{"home": "-> home"}, "", "", nil, "too many levels", 0},
		"home is relative":        {"relative", map[string]string{}, "", "", nil, "not an absolute path", 0},
		"home leads up":           {"upward", map[string]string{}, "up/.ssh/authorized_keys", keys, nil, "", 0},
		"home is empty":           {"empty", map[string]string{}, "", "", nil, "not an absolute path", 0},
		"home is the top":         {"top", map[string]string{}, ".ssh/authorized_keys", keys, nil, "", 0},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c.files["etc/passwd"] = passwdFile + "relative:x:1:1::home/x:\nupward:x:1:1::/../../up:\nempty:x:1:1:::\ntop:x:1:1::/:\n"
			r := newImageRun(t, c.files)
			r.Plan.Users = []string{c.user}
			r.Credentials.AuthorizedKeys = strings.Split(strings.TrimSpace(keys), "\n")
			err := r.do(t, changePassword)
			wants(t, err, c.err)
			if len(r.warnings) != c.warns {
				t.Errorf("warnings %q", r.warnings)
			}
			if err != nil || c.file == "" {
				return
			}
			if got := r.content(t, c.file); got != c.want {
				t.Errorf("%s = %q, want %q", c.file, got, c.want)
			}
			if mode, uid, _ := r.owned(t, c.file); !strings.HasPrefix(c.file, "etc/") && (mode != 0o600 || uid == 0) {
				t.Errorf("%s has mode %o and owner %d", c.file, mode, uid)
			}
			for dir, want := range c.dirs {
				mode, uid, _ := r.owned(t, dir)
				if diff := cmp.Diff(want, strings.TrimSpace(octal(mode)+" "+decimal(uid))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", dir, diff)
				}
			}
		})
	}
}

func TestDeleteSSHKeys(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	keys := []spec.HostKey{
		{Type: "rsa", Private: "PRIVATE rsa\n", Public: "ssh-rsa AAAA c"},
		{Type: "ed25519", Private: "PRIVATE ed\n", Public: "ssh-ed25519 BBBB c"},
	}
	old := map[string]string{
		"etc/ssh/ssh_host_rsa_key": "OLD", "etc/ssh/ssh_host_rsa_key.pub": "OLD",
		"etc/ssh/ssh_host_dsa_key": "OLD", "etc/ssh/ssh_host_x": "-> OUTSIDE/canary", "usr/sbin/sshd": "",
	}
	for title, c := range map[string]struct {
		config string
		more   map[string]string
		want   map[string]string // of the files below /etc/ssh and /k, without sshd_config
		warns  int
		err    string
	}{
		"defaults": {"Port 22\n", nil, map[string]string{
			"etc/ssh/ssh_host_rsa_key": "PRIVATE rsa\n", "etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa AAAA c\n",
			"etc/ssh/ssh_host_ed25519_key": "PRIVATE ed\n", "etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 BBBB c\n",
		}, 1, ""},
		"custom path": {"HostKey /k/my_ed25519\n", map[string]string{"k/my_ed25519": "OLD", "k/other": "mine"}, map[string]string{
			"k/my_ed25519": "PRIVATE ed\n", "k/my_ed25519.pub": "ssh-ed25519 BBBB c\n", "k/other": "mine",
		}, 0, ""},
		"no type":   {"HostKey /k/secret\n", map[string]string{"k/secret": "OLD"}, nil, 0, "replacing the SSH host key /k/secret"},
		"DSA alone": {"HostKey /k/secret\n", map[string]string{"k/secret": "OLD", "k/secret.pub": "ssh-dss x"}, nil, 1, "replacing the SSH host key /k/secret"},
		"not there": {"HostKey /k/secret\n", map[string]string{"k/x": "mine"}, map[string]string{
			"k/secret": "PRIVATE ed\n", "k/secret.pub": "ssh-ed25519 BBBB c\n", "k/x": "mine",
		}, 0, ""},
		"DSA and more": {"HostKey /k/d\nHostKey /k/r\n", map[string]string{"k/d": "OLD", "k/d.pub": "ssh-dss x", "k/r": "OLD", "k/r.pub": "ssh-rsa x"}, map[string]string{
			"k/r": "PRIVATE rsa\n", "k/r.pub": "ssh-rsa AAAA c\n",
		}, 1, ""},
		"content wins": {"HostKey /k/ed25519\n", map[string]string{"k/ed25519": "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"}, map[string]string{
			"k/ed25519": "PRIVATE rsa\n", "k/ed25519.pub": "ssh-rsa AAAA c\n",
		}, 0, ""},
		"guest's place": {"HostKey /home/d/rsa\n", map[string]string{"home/d": "-> /etc", "home": "OPEN"}, nil, 0, "/home/d is a symbolic link"},
		"link replaced": {"HostKey /k/rsa\n", map[string]string{"k/rsa": "-> OUTSIDE/canary"}, map[string]string{"k/rsa": "PRIVATE rsa\n", "k/rsa.pub": "ssh-rsa AAAA c\n"}, 0, ""},
		"leads out":     {"HostKey /k/d/rsa\n", map[string]string{"k/d": "-> OUTSIDE"}, nil, 0, "link to nothing"},
		"directory":     {"HostKey /k/rsa\n", map[string]string{"k/rsa": "DIR"}, nil, 0, "a directory"},
		"two names": {"HostKey /l/rsa\nHostKey k/ed25519\n", map[string]string{"k/rsa": "OLD", "l": "-> /k", "k/ed25519": "OLD"}, map[string]string{
			"k/rsa": "PRIVATE rsa\n", "k/rsa.pub": "ssh-rsa AAAA c\n", "k/ed25519": "PRIVATE ed\n", "k/ed25519.pub": "ssh-ed25519 BBBB c\n", "l": "/k",
		}, 0, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/ssh/sshd_config": c.config}
			for _, m := range []map[string]string{old, c.more} {
				for p, content := range m {
					files[p] = content
				}
			}
			r := newImageRun(t, files)
			r.Credentials.HostKeys = keys
			before := snapshot(t, r.dir)
			wants(t, r.do(t, deleteSSHKeys), c.err)
			if len(r.warnings) != c.warns {
				t.Errorf("warnings %q, want %d", r.warnings, c.warns)
			}
			if strings.HasPrefix(c.err, "replacing") {
				if diff := cmp.Diff(before, snapshot(t, r.dir)); diff != "" {
					t.Errorf("changed before it failed (-before +after):\n%s", diff)
				}
			}
			if c.want == nil {
				return
			}
			got := map[string]string{}
			for p, text := range snapshot(t, r.dir) {
				mode, text, isFile := strings.Cut(text, " ")
				p = strings.TrimPrefix(p, "/")
				if isFile && p != "etc/ssh/sshd_config" && p != "usr/sbin/sshd" {
					got[p] = text
					if strings.HasPrefix(text, "PRIVATE") && mode != "-rw-------" {
						t.Errorf("%s has mode %s", p, mode)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeleteSSHKeysWithoutServer(t *testing.T) {
	t.Parallel()
	r := newImageRun(t, map[string]string{"etc": "DIR"})
	if _, skipped := errors.AsType[*Skipped](r.do(t, deleteSSHKeys)); !skipped {
		t.Error("no server, want skipped")
	}
	// Somebody made a key: a server is at a place we do not know.
	r = newImageRun(t, map[string]string{"etc/ssh/ssh_host_rsa_key": "OLD"})
	wants(t, r.do(t, deleteSSHKeys), "replacing the SSH host key /etc/ssh/ssh_host_rsa_key")
	r.Credentials.HostKeys = []spec.HostKey{{Type: "rsa", Private: "NEW", Public: "ssh-rsa AAAA"}}
	check(t, r.do(t, deleteSSHKeys))
	if got := r.content(t, "etc/ssh/ssh_host_rsa_key"); got != "NEW" {
		t.Errorf("the key is %q", got)
	}
}

// TestDeleteSSHKeysUnmounted has a HostKey on a file system that is not there, with
// a link in the mount point.
func TestDeleteSSHKeysUnmounted(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	r := newImageRun(t, map[string]string{
		"etc/fstab": "LABEL=keys /l/k ext4 nofail 0 2\n", "etc/ssh/sshd_config": "HostKey /k/rsa\n", "k/rsa": "OLD", "l": "-> /",
	})
	check(t, r.mountFstab())
	r.warnings = nil
	r.Credentials.HostKeys = []spec.HostKey{{Type: "rsa", Private: "PRIVATE rsa\n", Public: "ssh-rsa AAAA c"}}
	check(t, r.do(t, deleteSSHKeys))
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0], "/k of the image's fstab is not mounted") || len(r.Root.Changed()) > 0 {
		t.Errorf("warnings %q, changed %v", r.warnings, r.Root.Changed())
	}
}
