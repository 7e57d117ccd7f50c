package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
	"snf-image/tests/tree"
)

const cloudCfg = `system_info:
  default_user:
    name: boss
    gecos: "The: Boss"
    groups: wheel, made
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    doas:
      - permit nopass boss
    shell: /bin/zsh
`

// small is a system without login.defs, shadow and groups of shadow.
func small(more map[string]string) map[string]string {
	files := map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nold:x:1004:1004::/:/bin/sh\n+::::::\n", "etc/group": "root:x:0:\nwheel:x:10:\nold:x:1004:\nnew:x:300:\n",
		"etc/cloud/cloud.cfg": cloudCfg, "bin/zsh": "", "bin/sh": "", "usr/bin/doas": "", "etc/skel/.profile": "p\n", "etc/skel/d/f": "f\n", "etc/skel/l": "-> /etc/shadow",
	}
	for p, text := range more {
		if files[p] = text; text == "REMOVED" {
			delete(files, p)
		}
	}
	return files
}

// TestCreate makes users where much is missing or in the way.
func TestCreate(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		user  string
		files map[string]string
		want  map[string]string // path → content, part of it after "…"
		warns string
	}{
		"default user": {"boss", nil, map[string]string{
			"etc/passwd":            "root:x:0:0::/root:/bin/sh\nold:x:1004:1004::/:/bin/sh\nboss:!:1005:1005:The Boss:/home/boss:/bin/zsh\n+::::::\n",
			"etc/group":             "root:x:0:\nwheel:x:10:boss\nold:x:1004:\nnew:x:300:\nmade:x:301:boss\nboss:x:1005:\n",
			"etc/doas.conf":         "permit nopass boss\n",
			"home/boss/.profile":    "p\n",
			"home/boss/d/f":         "f\n",
			"etc/cloud/cloud.cfg":   cloudCfg,
			"home/boss/l":           "",
			"etc/sudoers.d/90-snf":  "",
			"etc/sudoers":           "",
			"etc/shadow":            "",
			"var/mail/boss":         "",
			"etc/doas.d/snf-image.": "",
		}, ""},
		"group is there": {"new", map[string]string{"etc/doas.d": "DIR"}, map[string]string{
			"etc/passwd": "…new:!:1005:300::/home/new:/bin/zsh\n", "etc/doas.d/snf-image.conf": "permit nopass new\n", "etc/doas.conf": "",
		}, ""},
		"users group": {"x", map[string]string{"etc/login.defs": "USERGROUPS_ENAB no\nUID_MIN 500\nUMASK 077\n", "etc/default/useradd": "GROUP=wheel\nHOME=/srv\nSHELL=/bin/none\n"}, map[string]string{
			"etc/passwd": "…x:!:1005:10::/srv/x:/bin/zsh\n", "srv/x/.profile": "p\n",
		}, ""},
		"no cloud.cfg": {"x", map[string]string{"etc/cloud/cloud.cfg": "REMOVED", "bin/zsh": "REMOVED"}, map[string]string{
			"etc/passwd": "…x:!:1005:1005::/home/x:/bin/sh\n",
		}, "no rights of an administrator"},
		"later file": {"x", map[string]string{"etc/cloud/cloud.cfg.d/50-a.cfg": "system_info: {default_user: {groups: [wheel], shell: /bin/sh}}\n"}, map[string]string{
			"etc/passwd": "…x:!:1005:1005::/home/x:/bin/sh\n", "etc/group": "…wheel:x:10:x\nold:x:1004:\nnew:x:300:\nx:x:1005:\n",
		}, ""},
		"home is there": {"x", map[string]string{"home/x/mine": "m\n"}, map[string]string{"home/x/mine": "m\n", "home/x/.profile": ""}, "was left as it is"},
		"server without PAM": {"x", map[string]string{"etc/shadow": "root:*:1::::::\n", "etc/ssh/sshd_config": "\n"}, map[string]string{
			"etc/shadow": "root:*:1::::::\nx:*:20000::::::\n", "etc/passwd": "…x:x:1005:1005::/home/x:/bin/zsh\n",
		}, ""},
		"sudo": {"x", map[string]string{"usr/bin/sudo": "", "etc/sudoers": "root ALL=(ALL) ALL\n"}, map[string]string{
			"etc/sudoers": "root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n", "etc/sudoers.d/90-snf-image-users": "x ALL=(ALL) NOPASSWD:ALL\n",
		}, ""},
		"no sudo, no doas":   {"x", map[string]string{"usr/bin/doas": "REMOVED"}, map[string]string{"etc/sudoers.d/90-snf-image-users": ""}, "no sudo"},
		"alias bomb":         {"x", map[string]string{"etc/cloud/cloud.cfg": bomb()}, map[string]string{"etc/group": "…wheel:x:10:\n"}, "no cloud.cfg with a default user"},
		"keys in skeleton":   {"x", map[string]string{"etc/skel/.ssh/authorized_keys": "old\n"}, map[string]string{"home/x/.ssh/authorized_keys": "old\n" + key + "\n"}, ""},
		"sudo is empty":      {"x", map[string]string{"usr/bin/sudo": "", "etc/cloud/cloud.cfg": "system_info: {default_user: {name: b, sudo: \"\", doas: [\"\"]}}\n"}, map[string]string{"etc/sudoers.d/90-snf-image-users": ""}, ""},
		"sudo has a blank":   {"x", map[string]string{"usr/bin/sudo": "", "etc/cloud/cloud.cfg": "system_info: {default_user: {name: b, sudo: [\" \", \"ALL=(ALL) ALL\"]}}\n"}, map[string]string{"etc/sudoers.d/90-snf-image-users": "x ALL=(ALL) ALL\n"}, ""},
		"sudo is not a list": {"x", map[string]string{"usr/bin/sudo": "", "etc/cloud/cloud.cfg": "system_info: {default_user: {name: b, sudo: false, groups: null}}\n"}, map[string]string{"etc/sudoers.d/90-snf-image-users": ""}, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, tree.New(t, small(c.files)))
			change := Change{Users: []string{c.user}, Keys: []string{key}, Day: day, Create: true}
			check(t, change.Apply(g.Guest))
			for p, want := range c.want {
				part, isPart := strings.CutPrefix(want, "…")
				switch {
				case want == "" && g.Root.Has("/"+p):
					t.Errorf("%s is there", p)
				case want == "":
				case isPart && !strings.Contains(g.Content(t, p), part):
					t.Errorf("%s = %q, want in it %q", p, g.Content(t, p), part)
				case !isPart:
					if diff := cmp.Diff(want, g.Content(t, p)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", p, diff)
					}
				}
			}
			if got := strings.Join(*g.Warnings, "; "); (got == "") != (c.warns == "") || !strings.Contains(got, c.warns) {
				t.Errorf("warnings %q, want %q", got, c.warns)
			}
			check(t, change.Apply(g.Guest)) // the user is there now
		})
	}
}

// TestCreateRefused changes nothing where a user cannot be made.
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		users  string
		create bool
		files  map[string]string
		want   string
	}{
		"not asked for":    {"x", false, nil, `the image has no user "x"`},
		"no name":          {"root -x", true, nil, "not a name for a new account"},
		"no passwd":        {"x", true, map[string]string{"etc/passwd": "REMOVED"}, "no such file"},
		"no group":         {"x", true, map[string]string{"etc/group": "REMOVED"}, "no such file"},
		"cloud.cfg":        {"x", true, map[string]string{"etc/cloud/cloud.cfg": "a: [\n"}, "reading cloud-init's /etc/cloud/cloud.cfg"},
		"cloud.cfg FIFO":   {"x", true, map[string]string{"etc/cloud/cloud.cfg": "FIFO"}, "a FIFO"},
		"login.defs":       {"x", true, map[string]string{"etc/login.defs": "DIR"}, "a directory"},
		"useradd leads up": {"x", true, map[string]string{"etc/default/useradd": "-> useradd"}, "too many levels"},
		"name of a group":  {"x", true, map[string]string{"etc/cloud/cloud.cfg": "system_info: {default_user: {groups: [\"a:b\"]}}\n"}, "is not a name"},
		"full":             {"x", true, map[string]string{"etc/login.defs": "UID_MIN 1004\nUID_MAX 1004\n"}, "no number from 1004 to 1004 is free"},
		"many groups":      {"x", true, map[string]string{"etc/cloud/cloud.cfg": "system_info: {default_user: {groups: \"" + strings.Repeat("a ", maxGroups+1) + "\"}}\n"}, "more than 100 groups"},
		"home is a file":   {"x", true, map[string]string{"home": "a file\n"}, "/home"},
		"home leads away":  {"x", true, map[string]string{"home": "-> /none"}, "a symbolic link to nothing"},
		"home of useradd":  {"x", true, map[string]string{"etc/default/useradd": "HOME=/a:b\n"}, "cannot stand in /etc/passwd"},
		"skeleton":         {"x", true, map[string]string{"etc/skel/d/large": strings.Repeat("x", rootfs.MaxConfig+1)}, "/etc/skel/d/large"},
		"rule":             {"x", true, map[string]string{"usr/bin/sudo": "", "etc/cloud/cloud.cfg": "system_info: {default_user: {name: b, sudo: [\"a\\nb\"]}}\n"}, "holds a line end"},
		"sudoers":          {"x", true, map[string]string{"usr/bin/sudo": "", "etc/sudoers": "DIR"}, "a directory"},
		"sudoers.d":        {"x", true, map[string]string{"usr/bin/sudo": "", "etc/sudoers.d/90-snf-image-users": "DIR"}, "a directory"},
		"doas.conf":        {"x", true, map[string]string{"etc/doas.conf": "DIR"}, "a directory"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGuest(t, tree.New(t, small(c.files)))
			before := g.Snapshot(t)
			change := Change{Users: strings.Fields(c.users), Keys: []string{key}, Create: c.create}
			wants(t, change.Check(g.Guest), c.want)
			wants(t, change.Apply(g.Guest), c.want)
			if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
			}
		})
	}
}

// bomb is a document whose aliases stand for a list of 10⁹ texts.
func bomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for n := 1; n < 10; n++ {
		text += strings.NewReplacer("N", string(rune('0'+n)), "M", string(rune('0'+n-1))).Replace("aN: &aN [*aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM]\n")
	}
	return text + "system_info: {default_user: {groups: *a9}}\n"
}

// TestWarnings has an account, a password and a key, and what the administrator is told.
func TestWarnings(t *testing.T) {
	t.Parallel()
	const sshd = "PasswordAuthentication no\n"
	for title, c := range map[string]struct {
		passwd, shadow, sshd string
		hash                 spec.Secret
		allow                bool
		want                 string // in the only warning, "" for none
	}{
		"console":          {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", "", hash, false, ""},
		"password refused": {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", sshd, hash, false, `does not take the password of the user "ann": /etc/ssh/sshd_config, line 1: PasswordAuthentication no; set the property SSH_PASSWORD_LOGIN=yes`},
		"password let in":  {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", sshd, hash, true, ""},
		"not by us":        {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", "DenyUsers ann\n", hash, true, "line 1: DenyUsers ann; SSH_PASSWORD_LOGIN=yes does not change that"},
		"root's default":   {"ann:x:0:0::/root:/bin/sh", "ann:!:1::::::", "# nothing\n", hash, false, "PermitRootLogin prohibit-password, which is the default"},
		"password locked":  {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", sshd, "!" + hash, false, `keys of the user "ann": its password is locked with "!"`},
		"locked with PAM":  {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", "UsePAM yes\n", "!" + hash, false, ""},
		"no such password": {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", sshd, "*", false, ""},
		"nologin":          {"ann:x:1:1::/home/ann:/usr/sbin/nologin", "ann:!:1::::::", sshd, hash, false, "its shell is /usr/sbin/nologin"},
		"expired":          {"ann:x:1:1::/home/ann:/bin/sh", "ann:*:1:::::19000:", "UsePAM yes\n", "", false, "expired"},
		"password too old": {"ann:x:1:1::/home/ann:/bin/sh", "ann:*:100:0:90:7:10::", "UsePAM yes\n", "", false, "expired"},
		"no longer":        {"ann:x:1:1::/home/ann:/bin/sh", "ann:*:1:::::19000:", "UsePAM yes\n", hash, false, ""},
		"some connections": {"ann:x:1:1::/home/ann:/bin/sh", "ann:!:1::::::", "Match Address 10.0.0.0/8\nPubkeyAuthentication no\n", hash, false, "from some connections only: Match Address 10.0.0.0/8"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"etc/passwd": c.passwd + "\n", "etc/shadow": c.shadow + "\n"}
			if c.sshd != "" {
				files["etc/ssh/sshd_config"] = c.sshd
			}
			g := newGuest(t, tree.New(t, files))
			change := Change{Users: []string{"ann"}, Keys: []string{key}, Day: day, AllowSSH: c.allow}
			if c.hash != "" {
				change.Hashes = map[string]spec.Secret{"ann": c.hash}
			}
			check(t, change.Check(g.Guest))
			check(t, change.Apply(g.Guest))
			var told []string
			for _, w := range *g.Warnings {
				if !strings.Contains(w, "will ignore the keys") { // the tree's owner is whoever runs this
					told = append(told, w)
				}
			}
			if len(told) > strings.Count(c.sshd, "Deny")+1 || (len(told) == 0) != (c.want == "") || !strings.Contains(strings.Join(told, ""), c.want) {
				t.Errorf("warnings %q, want %q", told, c.want)
			}
		})
	}
}

func TestFreeRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": 100000, "a:100000:65536\n": 165536, "a:5:10\nb:300000:100\nbad\nc:x:1\n": 300100, "a:600000000:65536\n": 0,
	} {
		if got := etc.FreeRange([]byte(text), 100000, 600100000, 65536); got != want {
			t.Errorf("FreeRange(%q) = %d, want %d", text, got, want)
		}
	}
}

// FuzzDefaultUser reads any cloud.cfg, and makes a user of it or says why not.
func FuzzDefaultUser(f *testing.F) {
	f.Add(cloudCfg)
	f.Add("system_info: {default_user: {groups: a b, sudo: [x, y], shell: 3}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		g := newGuest(t, tree.New(t, small(map[string]string{"etc/cloud/cloud.cfg": text + " "})))
		change := Change{Users: []string{"x"}, Day: day, Create: true}
		if change.Apply(g.Guest) != nil {
			return
		}
		passwd := g.Content(t, "etc/passwd")
		if u, ok := etc.FindUser(etc.ParsePasswd([]byte(passwd)), "x"); !ok || u.UID != 1005 || strings.Count(passwd, "\n") != 4 {
			t.Fatalf("passwd of %q: %q", text, passwd)
		}
	})
}

// TestUnmountedHome makes no home, and puts no keys, where the machine mounts something else.
func TestUnmountedHome(t *testing.T) {
	t.Parallel()
	for user, c := range map[string]struct{ err, warns string }{
		"x":   {"would lie below /home of the image's fstab, which is not mounted", ""},
		"ann": {"", `the keys of the user "ann" were not installed: /home/ann/.ssh/authorized_keys lies below /home`},
	} {
		g := newGuest(t, tree.New(t, small(map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n", "etc/shadow": "root:*:1::::::\nann:*:1::::::\n"})))
		g.Unmounted = func(p string) string {
			if strings.HasPrefix(p, "/home/") {
				return "/home"
			}
			return ""
		}
		before := g.Snapshot(t)
		change := Change{Users: []string{user}, Keys: []string{key}, Create: true}
		wants(t, change.Check(g.Guest), c.err)
		wants(t, change.Apply(g.Guest), c.err)
		if diff := cmp.Diff(before, g.Snapshot(t)); diff != "" {
			t.Errorf("%s: changed (-before +after):\n%s", user, diff)
		}
		if got := strings.Join(*g.Warnings, "; "); (got == "") != (c.warns == "") || !strings.Contains(got, c.warns) {
			t.Errorf("%s: warnings %q, want %q", user, got, c.warns)
		}
	}
}
