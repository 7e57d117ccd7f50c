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
