package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"snf-image/internal/spec"
)

// own gives files of the tree to somebody: path → mode and owner.
func (r imageRun) own(t *testing.T, owners map[string]string) {
	t.Helper()
	for p, text := range owners {
		var mode uint32
		var uid int
		fields := strings.Fields(text)
		for _, c := range fields[0] {
			mode = mode<<3 | uint32(c-'0')
		}
		for _, c := range fields[1] {
			uid = uid*10 + int(c-'0')
		}
		check(t, os.Lchown(filepath.Join(r.dir, p), uid, uid))
		if st, err := os.Lstat(filepath.Join(r.dir, p)); err == nil && st.Mode().Type() != os.ModeSymlink {
			check(t, unix.Chmod(filepath.Join(r.dir, p), mode))
		}
	}
}

// ownedBy says mode and owner in the form own takes.
func (r imageRun) ownedBy(t *testing.T, p string) string {
	t.Helper()
	mode, uid, _ := r.owned(t, p)
	return octal(mode) + " " + decimal(uid)
}

const (
	onekey  = "ssh-ed25519 AAAA one\n"
	someSSH = "AuthorizedKeysFile /etc/ssh/authorized_keys\n"
	people  = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n" +
		"cat:x:1002:1002::/srv/both:/bin/sh\ndog:x:1003:1003::/srv/both:/bin/sh\n"
)

func TestAuthorizedKeysOwners(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	annsHome := map[string]string{"home/ann": "700 1000", "home/ann/.ssh": "700 1000"}
	for title, c := range map[string]struct {
		users string
		files map[string]string
		own   map[string]string
		want  map[string]string // path → mode, owner and content
		warns string            // part of each warning, "" for none
	}{
		"appended": {
			"ann",
			map[string]string{"home/ann/.ssh/authorized_keys": "# mine\nssh-rsa BBBB two"},
			map[string]string{"home/ann": "700 1000", "home/ann/.ssh": "750 1000", "home/ann/.ssh/authorized_keys": "644 1000"},
			map[string]string{"home/ann/.ssh/authorized_keys": "600 1000 # mine\nssh-rsa BBBB two\n" + onekey, "home/ann/.ssh": "750 1000"},
			"",
		},
		"file of root's in a home": {
			"ann",
			map[string]string{"home/ann/.ssh/authorized_keys": "x\n"},
			annsHome,
			map[string]string{"home/ann/.ssh/authorized_keys": "600 1000 x\n" + onekey},
			"",
		},
		"home of root's, new": {
			"ann",
			map[string]string{"home/ann": "DIR"},
			nil,
			map[string]string{"home/ann/.ssh/authorized_keys": "600 1000 " + onekey, "home/ann/.ssh": "700 1000", "home/ann": "755 0"},
			"",
		},
		"home by a link of root's": {
			"ann",
			map[string]string{"home": "-> /srv/home", "srv/home/ann": "DIR"},
			map[string]string{"srv/home/ann": "700 1000"},
			map[string]string{"srv/home/ann/.ssh/authorized_keys": "600 1000 " + onekey},
			"",
		},
		"shared file, new": {
			"root ann bob",
			map[string]string{"etc/ssh/sshd_config": someSSH},
			nil,
			map[string]string{"etc/ssh/authorized_keys": "644 0 " + onekey},
			"",
		},
		"shared file": {
			"ann bob",
			map[string]string{"etc/ssh/sshd_config": someSSH, "etc/ssh/authorized_keys": onekey + "x\n"},
			map[string]string{"etc/ssh/authorized_keys": "444 0"},
			map[string]string{"etc/ssh/authorized_keys": "444 0 " + onekey + "x\n"},
			"",
		},
		"shared file that was given away": {
			"ann bob",
			map[string]string{"etc/ssh/sshd_config": someSSH, "etc/ssh/authorized_keys": "x\n"},
			map[string]string{"etc/ssh/authorized_keys": "600 1000"},
			map[string]string{"etc/ssh/authorized_keys": "644 0 x\n" + onekey},
			"",
		},
		"outside of the home": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/ssh/keys/%u\n"},
			nil,
			map[string]string{"etc/ssh/keys/ann": "644 0 " + onekey, "etc/ssh/keys": "755 0"},
			"",
		},
		"outside of the home, the user's": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/ssh/keys/%u\n", "etc/ssh/keys/ann": ""},
			map[string]string{"etc/ssh/keys/ann": "600 1000"},
			map[string]string{"etc/ssh/keys/ann": "600 1000 " + onekey},
			"",
		},
		"outside of the home, unreadable": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": someSSH, "etc/ssh/authorized_keys": ""},
			map[string]string{"etc/ssh/authorized_keys": "600 0"},
			map[string]string{"etc/ssh/authorized_keys": "600 0 " + onekey},
			`ignore the keys of the user "ann": /etc/ssh/authorized_keys is not open to the user (mode 0600`,
		},
		"one file by links of root's": {
			"ann bob",
			map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/ssh/keys/%u\n", "etc/ssh/keys/ann": "-> ../all", "etc/ssh/keys/bob": "-> ../all", "etc/ssh/all": ""},
			nil,
			map[string]string{"etc/ssh/all": "644 0 " + onekey, "etc/ssh/keys/bob": "777 0"},
			"",
		},
		"link of root's to nothing": {
			"ann",
			map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/ssh/keys/%u\n", "etc/ssh/keys/ann": "-> ../all"},
			nil,
			map[string]string{"etc/ssh/keys/ann": "644 0 " + onekey},
			"",
		},
		"one home": {
			"cat dog",
			map[string]string{"srv/both": "DIR"},
			nil,
			map[string]string{"srv/both/.ssh/authorized_keys": "644 0 " + onekey, "srv/both/.ssh": "755 0", "srv/both": "755 0"},
			"",
		},
		"one home, of one": {
			"cat dog",
			map[string]string{"srv/both": "DIR"},
			map[string]string{"srv/both": "755 1002"},
			map[string]string{"srv/both/.ssh/authorized_keys": "644 0 " + onekey, "srv/both": "755 1002"},
			`ignore the keys of the user "dog": /srv/both belongs to uid 1002`,
		},
		"one home, a private file": {
			"cat dog",
			map[string]string{"srv/both/.ssh/authorized_keys": "mine\n"},
			map[string]string{"srv/both": "755 0", "srv/both/.ssh/authorized_keys": "600 1002"},
			map[string]string{"srv/both/.ssh/authorized_keys": "600 1002 mine\n" + onekey},
			`ignore the keys of the user "dog": /srv/both/.ssh/authorized_keys belongs to uid 1002`,
		},
		"one home, missing": {
			"dog cat", nil, nil,
			map[string]string{"srv/both/.ssh/authorized_keys": "644 0 " + onekey, "srv/both": "755 0"},
			"",
		},
		"group may write the home": {
			"ann",
			map[string]string{"home/ann": "DIR"},
			map[string]string{"home/ann": "2770 1000"},
			map[string]string{"home/ann/.ssh/authorized_keys": "600 1000 " + onekey, "home/ann/.ssh": "700 1000", "home/ann": "2770 1000"},
			"/home/ann can be written by others (mode 2770)",
		},
		"server that does not care": {
			"ann",
			map[string]string{"home/ann": "DIR", "etc/ssh/sshd_config": "StrictModes no\n"},
			map[string]string{"home/ann": "777 1000"},
			map[string]string{"home/ann/.ssh/authorized_keys": "600 1000 " + onekey},
			"",
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newKeysRun(t, c.users, c.files, c.own)
			check(t, r.do(t, changePassword))
			if len(r.warnings) > 1 || (c.warns == "") != (len(r.warnings) == 0) || !strings.Contains(strings.Join(r.warnings, ""), c.warns) {
				t.Errorf("warnings %q, want one with %q", r.warnings, c.warns)
			}
			for p, want := range c.want {
				got := r.ownedBy(t, p)
				if strings.Count(want, " ") > 1 {
					got += " " + r.content(t, p)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", p, diff)
				}
			}
		})
	}
}

func newKeysRun(t *testing.T, users string, files, own map[string]string) imageRun {
	t.Helper()
	all := map[string]string{"etc/passwd": people, "etc/shadow": "root:SECRET:1::::::\n", "root/.ssh/id": "SECRET\n"}
	for p, content := range files {
		all[p] = content
	}
	r := newImageRun(t, all)
	r.own(t, map[string]string{"etc/shadow": "640 0", "root": "700 0", "root/.ssh": "700 0", "root/.ssh/id": "600 0"})
	r.own(t, own)
	r.Plan.Users = strings.Fields(users)
	r.Credentials.AuthorizedKeys = []string{strings.TrimSpace(onekey)}
	return r
}

// TestAuthorizedKeysAttacks plants in a home what leads elsewhere or belongs to
// others. All is refused before anything is written, also the hash.
func TestAuthorizedKeysAttacks(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	home, keys := "home/ann", "home/ann/.ssh/authorized_keys"
	mine := map[string]string{home: "700 1000", "home/ann/.ssh": "700 1000"}
	with := func(p, text string) map[string]string {
		out := map[string]string{p: text}
		for k, v := range mine {
			if k != p {
				out[k] = v
			}
		}
		return out
	}
	for title, c := range map[string]struct {
		users string
		files map[string]string
		hard  string // what the keys file is another name of
		own   map[string]string
		want  string
	}{
		"file is a link to shadow":   {"ann", map[string]string{keys: "-> /etc/shadow"}, "", with(keys, "777 1000"), "/home/ann/.ssh/authorized_keys is a symbolic link, to \"/etc/shadow\", below /home/ann, which others than root can write"},
		"file is a link of root's":   {"ann", map[string]string{keys: "-> /etc/shadow"}, "", mine, "/home/ann/.ssh/authorized_keys is a symbolic link"},
		"file is a link to nothing":  {"ann", map[string]string{keys: "-> /etc/nothing"}, "", mine, "/home/ann/.ssh/authorized_keys is a symbolic link"},
		"file is a link at home":     {"ann", map[string]string{keys: "-> k", "home/ann/.ssh/k": "x"}, "", mine, "/home/ann/.ssh/authorized_keys is a symbolic link"},
		"directory is a link":        {"ann", map[string]string{"home/ann/.ssh": "-> /root/.ssh"}, "", map[string]string{home: "700 1000"}, "/home/ann/.ssh is a symbolic link, to \"/root/.ssh\", below /home/ann,"},
		"directory of bob's":         {"ann", map[string]string{keys: "x"}, "", map[string]string{home: "700 1000", "home/ann/.ssh": "700 1001"}, "/home/ann/.ssh belongs to uid 1001, neither to root nor to uid 1000"},
		"home of bob's":              {"ann", map[string]string{"home/ann": "DIR"}, "", map[string]string{home: "755 1001"}, "/home/ann belongs to uid 1001, neither to root nor to uid 1000"},
		"file of bob's":              {"ann", map[string]string{keys: "x"}, "", with(keys, "644 1001"), "/home/ann/.ssh/authorized_keys belongs to uid 1001"},
		"file is a name of shadow":   {"ann", nil, "etc/shadow", mine, `is a file that the user "ann" cannot read`},
		"file is a name of passwd":   {"ann", nil, "etc/passwd", mine, "/home/ann/.ssh/authorized_keys is a file of uid 0 with 2 names (hard links)"},
		"file only root reads":       {"ann", map[string]string{keys: "SECRET"}, "", with(keys, "600 0"), `is a file that the user "ann" cannot read`},
		"file is a FIFO":             {"ann", map[string]string{keys: "FIFO"}, "", with(keys, "644 1000"), "a FIFO"},
		"file is a directory":        {"ann", map[string]string{keys: "DIR"}, "", with(keys, "755 1000"), "a directory"},
		"file is a device":           {"ann", map[string]string{keys: "ZERO"}, "", mine, "a device node"},
		"root's file, with root":     {"root ann", map[string]string{"home/ann/.ssh": "-> /root/.ssh", "root/.ssh/authorized_keys": "SECRET"}, "", map[string]string{home: "700 1000"}, `the user "ann": looking at /home/ann/.ssh/authorized_keys: /home/ann/.ssh is a symbolic link`},
		"root's file, before root":   {"ann root", map[string]string{keys: "-> /root/.ssh/authorized_keys", "root/.ssh/authorized_keys": "SECRET"}, "", mine, `the user "ann": looking at /home/ann/.ssh/authorized_keys: /home/ann/.ssh/authorized_keys is a symbolic link`},
		"second user":                {"root ann", map[string]string{keys: "-> /etc/shadow"}, "", mine, `the user "ann": looking at /home/ann/.ssh/authorized_keys: /home/ann/.ssh/authorized_keys is`},
		"home in /tmp":               {"fox", map[string]string{"tmp/fox/.ssh": "-> /root/.ssh"}, "", map[string]string{"tmp": "1777 0", "tmp/fox": "700 1004"}, "/tmp/fox/.ssh is a symbolic link, to \"/root/.ssh\", below /tmp,"},
		"home in /tmp of bob's":      {"fox", map[string]string{"tmp/fox": "DIR"}, "", map[string]string{"tmp": "1777 0", "tmp/fox": "755 1001"}, "/tmp/fox belongs to uid 1001"},
		"home is a link in /tmp":     {"fox", map[string]string{"tmp/fox": "-> /root"}, "", map[string]string{"tmp": "1777 0"}, "/tmp/fox is a symbolic link"},
		"parent of a file elsewhere": {"ann", map[string]string{"etc/ssh/sshd_config": "AuthorizedKeysFile /var/tmp/keys/%u\n", "var/tmp/keys": "-> /root/.ssh"}, "", map[string]string{"var/tmp": "1777 0"}, "/var/tmp/keys is a symbolic link, to \"/root/.ssh\", below /var/tmp,"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/passwd": people + "fox:x:1004:1004::/tmp/fox:/bin/sh\n"}
			for p, content := range c.files {
				files[p] = content
			}
			if c.hard != "" {
				files["home/ann/.ssh"] = "DIR"
			}
			r := newKeysRun(t, c.users, files, nil)
			if c.hard != "" {
				check(t, os.Link(filepath.Join(r.dir, c.hard), filepath.Join(r.dir, keys)))
			}
			r.own(t, c.own)
			r.Credentials.Hashes = map[string]spec.Secret{"root": "$6$new", "ann": "$6$new", "fox": "$6$new", "cat": "$6$new", "dog": "$6$new"}
			before := snapshot(t, r.dir)
			wants(t, r.do(t, changePassword), c.want)
			if diff := cmp.Diff(before, snapshot(t, r.dir)); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
			}
			if got := r.Root.Changed(); len(got) > 0 {
				t.Errorf("changed %v", got)
			}
		})
	}
}

// TestEnforcePersonalityAttacks plants in directories of others what leads
// elsewhere. Nothing is written then.
func TestEnforcePersonalityAttacks(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	home := map[string]string{"home/ann": "755 1000", "tmp": "1777 0", "var/tmp": "1777 0", "srv/team": "2775 50"}
	dirs := map[string]string{"home/ann/x": "DIR", "tmp/x": "DIR", "var/tmp/x": "DIR", "srv/team/x": "DIR", "etc/sudoers.d/keep": "mine"}
	for title, c := range map[string]struct {
		files, own map[string]string
		path       string
		owner      string
		want       string // of the error
		made       string // path, mode and owner
	}{
		"directory at home is a link":   {map[string]string{"home/ann/d": "-> /etc/sudoers.d"}, nil, "/home/ann/d/ann", "", "/home/ann/d is a symbolic link, to \"/etc/sudoers.d\", below /home/ann, which others than root can write", ""},
		"file at home is a link":        {map[string]string{"home/ann/f": "-> /etc/passwd"}, nil, "/home/ann/f", "ann", "/home/ann/f is a symbolic link", ""},
		"in /tmp":                       {map[string]string{"tmp/d": "-> /etc/sudoers.d"}, nil, "/tmp/d/ann", "", "/tmp/d is a symbolic link, to \"/etc/sudoers.d\", below /tmp,", ""},
		"in /var/tmp":                   {map[string]string{"var/tmp/d": "-> /etc/sudoers.d"}, nil, "/var/tmp/d/ann", "", "/var/tmp/d is a symbolic link, to \"/etc/sudoers.d\", below /var/tmp,", ""},
		"by a link of root's to /tmp":   {map[string]string{"scratch": "-> /tmp", "tmp/d": "-> /etc/sudoers.d"}, nil, "/scratch/d/ann", "", "/tmp/d is a symbolic link, to \"/etc/sudoers.d\", below /tmp,", ""},
		"up from /tmp":                  {map[string]string{"tmp/d": "-> ../etc"}, nil, "/tmp/d/../tmp/d/x", "", "/tmp/d is a symbolic link", ""},
		"in a group's":                  {map[string]string{"srv/team/d": "-> /etc/sudoers.d"}, nil, "/srv/team/d/ann", "", "/srv/team/d is a symbolic link, to \"/etc/sudoers.d\", below /srv/team,", ""},
		"below a directory of root's":   {map[string]string{"home/ann/x/d": "-> /etc/sudoers.d"}, nil, "/home/ann/x/d/ann", "", "/home/ann/x/d is a symbolic link", ""},
		"directory of others":           {map[string]string{"home/ann/bobs": "DIR"}, map[string]string{"home/ann/bobs": "755 1001"}, "/home/ann/bobs/f", "", "/home/ann/bobs belongs to uid 1001, neither to root nor to uid 1000", ""},
		"directory of others in /tmp":   {map[string]string{"tmp/bobs": "DIR"}, map[string]string{"tmp/bobs": "755 1001"}, "/tmp/bobs/f", "ann", "/tmp/bobs belongs to uid 1001", ""},
		"file of others in /tmp":        {map[string]string{"tmp/f": "x"}, map[string]string{"tmp/f": "644 1001"}, "/tmp/f", "ann", "/tmp/f belongs to uid 1001", ""},
		"link of root's to a directory": {map[string]string{"opt/d": "-> /etc/sudoers.d"}, nil, "/opt/d/f", "", "", "etc/sudoers.d/f 600 0"},
		"root's at home":                {nil, nil, "/home/ann/n/f", "", "", "home/ann/n/f 600 0"},
		"ann's at home":                 {nil, nil, "/home/ann/n/f", "ann", "", "home/ann/n 750 1000"},
		"ann's in /tmp":                 {map[string]string{"tmp/a": "DIR"}, map[string]string{"tmp/a": "700 1000"}, "/tmp/a/f", "ann", "", "tmp/a/f 600 1000"},
		"another name of passwd":        {map[string]string{"home/ann/f": "HARD etc/passwd"}, nil, "/home/ann/f", "ann", "", "home/ann/f 600 1000"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/passwd": passwdFile}
			hard := map[string]string{}
			for _, m := range []map[string]string{dirs, c.files} {
				for p, content := range m {
					if old, ok := strings.CutPrefix(content, "HARD "); ok {
						hard[p] = old
					} else {
						files[p] = content
					}
				}
			}
			r := newImageRun(t, files)
			for p, old := range hard {
				check(t, os.Link(filepath.Join(r.dir, old), filepath.Join(r.dir, p)))
			}
			r.own(t, home)
			r.own(t, c.own)
			r.Credentials.Files = []spec.File{{Path: "/first", Mode: 0o600}, {Path: c.path, Owner: c.owner, Mode: 0o600}}
			before := snapshot(t, r.dir)
			wants(t, r.do(t, enforcePersonality), c.want)
			if c.want != "" {
				if diff := cmp.Diff(before, snapshot(t, r.dir)); diff != "" {
					t.Errorf("changed (-before +after):\n%s", diff)
				}
				return
			}
			p, want, _ := strings.Cut(c.made, " ")
			if got := r.ownedBy(t, p); got != want {
				t.Errorf("%s is %s, want %s", p, got, want)
			}
			if r.content(t, "etc/passwd") != passwdFile || r.ownedBy(t, "etc/passwd") != "644 0" {
				t.Error("passwd changed")
			}
		})
	}
}
