package task

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoUsers = passwdFile + "bob:x:1002:1002:Bob:/home/bob:/bin/bash\neve:x:1003:1003:Eve:/home/ann:/bin/bash\n"

// give sets owner and mode, "UID MODE", of files of the image.
func (r imageRun) give(t *testing.T, files map[string]string) {
	t.Helper()
	for p, text := range files {
		var uid int
		var mode uint32
		_, err := fmt.Sscanf(text, "%d %o", &uid, &mode)
		check(t, err)
		check(t, os.Lchown(filepath.Join(r.dir, p), uid, uid))
		check(t, os.Chmod(filepath.Join(r.dir, p), os.FileMode(mode&0o777)))
	}
}

// TestAuthorizedKeysOfGuests has what accounts of the guest can lay in the way of
// root: nothing is written then, and nobody reads what was not for them.
func TestAuthorizedKeysOfGuests(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const file = "home/ann/.ssh/authorized_keys"
	for title, c := range map[string]struct {
		files  map[string]string
		owners map[string]string
		hard   string // file that authorized_keys is another name of
		err    string // "" means that the keys are there
	}{
		"directory to root's":    {map[string]string{"root/.ssh": "DIR", "home/ann/.ssh": "-> /root/.ssh"}, nil, "", `/home/ann/.ssh is a symbolic link, to "/root/.ssh"`},
		"file to shadow":         {map[string]string{file: "-> /etc/shadow"}, nil, "", `authorized_keys is a symbolic link, to "/etc/shadow"`},
		"file to shadow by name": {map[string]string{"home/ann/.ssh": "DIR"}, nil, "etc/shadow", "is a file that the user \"ann\" cannot read"},
		"another one's":          {map[string]string{file: "x"}, map[string]string{file: "1002 644"}, "", "belongs to uid 1002"},
		"another one's .ssh":     {map[string]string{"home/ann/.ssh": "DIR"}, map[string]string{"home/ann/.ssh": "1002 755"}, "", "belongs to uid 1002"},
		"another one's home":     {map[string]string{"home/ann": "DIR"}, map[string]string{"home/ann": "1002 755"}, "", "belongs to uid 1002"},
		"home in an open place":  {map[string]string{"srv/ann": "DIR", "home/ann": "-> /srv/ann"}, map[string]string{"home": "0 777"}, "", "/home/ann is a symbolic link"},
		"home that root linked":  {map[string]string{"srv/ann": "DIR", "home/ann": "-> /srv/ann"}, map[string]string{"srv/ann": "1000 755"}, "", ""},
		"home's place is linked": {map[string]string{"var/home/ann": "DIR", "home": "-> var/home"}, map[string]string{"var/home/ann": "1000 700"}, "", ""},
		"a file of hers":         {map[string]string{file: "old\n"}, map[string]string{"home/ann": "1000 700", file: "1000 400"}, "", ""},
		"a file for all":         {map[string]string{file: "old\n"}, map[string]string{"home/ann": "1000 700", file: "0 644"}, "", ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c.files["etc/passwd"], c.files["etc/shadow"] = twoUsers, "root:SECRET:1::::::\n"
			r := newImageRun(t, c.files)
			check(t, os.Chmod(filepath.Join(r.dir, "etc/shadow"), 0o600))
			r.give(t, c.owners)
			if c.hard != "" {
				check(t, os.Link(filepath.Join(r.dir, c.hard), filepath.Join(r.dir, file)))
			}
			before := snapshot(t, r.dir)
			r.Plan.Users = []string{"ann"}
			r.Credentials.AuthorizedKeys = []string{"key 1"}
			wants(t, r.do(t, changePassword), c.err)
			if c.err != "" {
				if diff := cmp.Diff(before, snapshot(t, r.dir)); diff != "" || len(r.Root.Changed()) > 0 {
					t.Errorf("changed (-before +after):\n%s", diff)
				}
				return
			}
			real, err := filepath.EvalSymlinks(filepath.Join(r.dir, "home"))
			check(t, err)
			if filepath.Base(real) == "home" && title == "home that root linked" {
				real = filepath.Join(r.dir, "srv")
			}
			data, err := os.ReadFile(filepath.Join(real, "ann/.ssh/authorized_keys"))
			if check(t, err); !strings.HasSuffix(string(data), "key 1\n") {
				t.Errorf("keys = %q", data)
			}
		})
	}
}

// TestAuthorizedKeysShared has files that serve several users.
func TestAuthorizedKeysShared(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const etc = "etc/ssh/authorized_keys"
	for title, c := range map[string]struct {
		config string
		users  string
		files  map[string]string
		owners map[string]string
		file   string
		want   string // owner, mode, content
		warns  int
	}{
		"one for all":        {"AuthorizedKeysFile /etc/ssh/authorized_keys", "ann bob", nil, nil, etc, "0 644 key 1\n", 0},
		"has one":            {"AuthorizedKeysFile /etc/ssh/authorized_keys", "root ann bob", map[string]string{etc: "key 1\n"}, map[string]string{etc: "0 644"}, etc, "0 644 key 1\n", 0},
		"readable as it was": {"AuthorizedKeysFile /etc/ssh/authorized_keys", "root", map[string]string{etc: "x\n"}, map[string]string{etc: "0 640"}, etc, "0 640 x\nkey 1\n", 0},
		"root's alone":       {"AuthorizedKeysFile /etc/ssh/authorized_keys", "ann", map[string]string{etc: "x\n"}, map[string]string{etc: "0 600"}, etc, "0 600 x\nkey 1\n", 1},
		"one's for all":      {"AuthorizedKeysFile /etc/ssh/authorized_keys", "ann bob", map[string]string{etc: "x\n"}, map[string]string{etc: "1000 600"}, etc, "0 644 x\nkey 1\n", 0},
		"root's home is not": {"", "ann bob", nil, nil, "home/bob/.ssh/authorized_keys", "1002 600 key 1\n", 0},
		"one home":           {"", "ann eve", nil, nil, "home/ann/.ssh/authorized_keys", "0 644 key 1\n", 0},
		"her home": {
			"", "ann eve",
			map[string]string{"home/ann/.ssh/authorized_keys": "x\n"},
			map[string]string{"home/ann": "1000 755", "home/ann/.ssh": "1000 700", "home/ann/.ssh/authorized_keys": "1000 600"},
			"home/ann/.ssh/authorized_keys", "1000 600 x\nkey 1\n", 3,
		},
		"all is below /": {"AuthorizedKeysFile /etc/ssh/keys/%u", "top", nil, nil, "etc/ssh/keys/top", "0 644 key 1\n", 0},
		"for her group":  {"Match Group other,sta?f\nAuthorizedKeysFile /etc/ssh/authorized_keys", "ann", nil, nil, etc, "0 644 key 1\n", 0},
		"for her":        {"Match User bob,ann\nAuthorizedKeysFile /etc/ssh/authorized_keys", "ann", nil, nil, etc, "0 644 key 1\n", 0},
		"for others":     {"Match User *,!ann\nAuthorizedKeysFile /etc/ssh/authorized_keys", "ann", nil, nil, "home/ann/.ssh/authorized_keys", "1000 600 key 1\n", 0},
		"from somewhere": {"Match User ann Address 10.0.0.0/8\nAuthorizedKeysFile /etc/ssh/authorized_keys", "ann", nil, nil, "home/ann/.ssh/authorized_keys", "1000 600 key 1\n", 1},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				"etc/passwd": twoUsers + "top:x:1004:1004::/:\n", "etc/ssh/sshd_config": c.config + "\n",
				"etc/group": "root:x:0:\nstaff:x:50:ann\n",
			}
			for p, text := range c.files {
				files[p] = text
			}
			r := newImageRun(t, files)
			r.give(t, c.owners)
			r.Plan.Users = strings.Fields(c.users)
			r.Credentials.AuthorizedKeys = []string{"key 1"}
			check(t, r.do(t, changePassword))
			mode, uid, _ := r.owned(t, c.file)
			if got := fmt.Sprintf("%d %o %s", uid, mode, r.content(t, c.file)); got != c.want {
				t.Errorf("%s is %q, want %q", c.file, got, c.want)
			}
			if len(r.warnings) != c.warns {
				t.Errorf("warnings %q, want %d", r.warnings, c.warns)
			}
		})
	}
}
