package sshd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/require"
	"snf-image/tests/support"
	"snf-image/tests/systems"
	"snf-image/tests/tree"
)

// judged are the settings that sshd -T is asked about, with their defaults.
var judged = map[string][]string{
	"passwordauthentication": {"yes"}, "kbdinteractiveauthentication": {"yes"}, "permitrootlogin": {"prohibit-password"},
	"pubkeyauthentication": {"yes"}, "usepam": {"no"}, "authenticationmethods": {"any"}, "strictmodes": {"yes"},
	"authorizedkeysfile": {".ssh/authorized_keys", ".ssh/authorized_keys2"},
}

// people are the accounts of the trees that are asked about.
const people = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\nsshd:x:33:33::/:/bin/false\n"

const peoplesGroups = "root:x:0:\nann:x:1000:\nbob:x:1001:\nstaff:x:50:ann\nwheel:x:10:bob\n"

var groupsOf = map[string][]string{"root": {"root"}, "ann": {"ann", "staff"}, "bob": {"bob", "wheel"}}

// configurations are what sshd and we have to read in the same way.
var configurations = map[string]map[string]string{
	"empty":           {"etc/ssh/sshd_config": "\n"},
	"first wins":      {"etc/ssh/sshd_config": "PasswordAuthentication no\nPasswordAuthentication yes\nPermitRootLogin yes\npermitrootlogin no\n"},
	"equals, quotes":  {"etc/ssh/sshd_config": "PasswordAuthentication=no\nPermitRootLogin \"without-password\"\nUsePAM = yes # here\n"},
	"user":            {"etc/ssh/sshd_config": "PasswordAuthentication no\nMatch User ann\nPasswordAuthentication yes\nMatch User *\nPermitRootLogin no\n"},
	"user list":       {"etc/ssh/sshd_config": "Match User a*,!ann,b?b\nPasswordAuthentication no\nMatch User root\nPermitRootLogin yes\n"},
	"group":           {"etc/ssh/sshd_config": "Match Group staff\nPubkeyAuthentication no\nMatch Group wheel,root\nKbdInteractiveAuthentication no\n"},
	"user and group":  {"etc/ssh/sshd_config": "Match User bob Group staff\nPasswordAuthentication no\nMatch User ann Group staff\nPermitRootLogin no\n"},
	"all":             {"etc/ssh/sshd_config": "Match User ann\nPasswordAuthentication yes\nMatch all\nPasswordAuthentication no\n"},
	"all before":      {"etc/ssh/sshd_config": "Match all\nPasswordAuthentication no\nMatch User ann\nPasswordAuthentication yes\n"},
	"first block":     {"etc/ssh/sshd_config": "Match Group staff\nPasswordAuthentication no\nMatch User ann\nPasswordAuthentication yes\n"},
	"include":         {"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n", "etc/ssh/sshd_config.d/60-b.conf": "PasswordAuthentication no\n", "etc/ssh/sshd_config.d/50-a.conf": "PermitRootLogin no\n", "etc/ssh/sshd_config.d/.hidden.conf": "UsePAM yes\n"},
	"include order":   {"etc/ssh/sshd_config": "Include sshd_config.d/*.conf\n", "etc/ssh/sshd_config.d/9.conf": "PermitRootLogin no\n", "etc/ssh/sshd_config.d/10.conf": "PermitRootLogin yes\n", "etc/ssh/sshd_config.d/A.conf": "PasswordAuthentication no\n", "etc/ssh/sshd_config.d/a.conf": "PasswordAuthentication yes\n"},
	"include matches": {"etc/ssh/sshd_config": "Include m\nPasswordAuthentication yes\n", "etc/ssh/m": "Match User ann\nPasswordAuthentication no\n"},
	"include in one":  {"etc/ssh/sshd_config": "PasswordAuthentication yes\nMatch User ann\nInclude m\n", "etc/ssh/m": "PasswordAuthentication no\nMatch User bob\nPermitRootLogin no\n"},
	"include twice":   {"etc/ssh/sshd_config": "Include /etc/ssh/a /etc/ssh/b\nInclude /etc/ssh/none*\n", "etc/ssh/a": "Include c\n", "etc/ssh/b": "PermitRootLogin no\n", "etc/ssh/c": "PermitRootLogin forced-commands-only\n"},
	"methods":         {"etc/ssh/sshd_config": "AuthenticationMethods publickey,password publickey\nMatch User bob\nAuthenticationMethods password\n"},
	"keys file":       {"etc/ssh/sshd_config": "AuthorizedKeysFile /etc/keys/%u .ssh/k\nStrictModes no\nMatch User bob\nAuthorizedKeysFile none\n"},
	"older spelling":  {"etc/ssh/sshd_config": "ChallengeResponseAuthentication no\n"},
	"no line end":     {"etc/ssh/sshd_config": "\tPasswordAuthentication\tno"},
	"windows":         {"etc/ssh/sshd_config": "PasswordAuthentication no\r\nPermitRootLogin no\r\n"},
}

// TestAgainstSSHD compares the settings that hold for users with those that sshd -T prints.
func TestAgainstSSHD(t *testing.T) {
	t.Parallel()
	needsSSHD(t)
	for title, files := range configurations {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			compareSettings(t, tree.New(t, withPeople(files)))
		})
	}
}

// TestSystemsAgainstSSHD does so with the configurations of distributions.
func TestSystemsAgainstSSHD(t *testing.T) {
	t.Parallel()
	needsSSHD(t)
	shown := support.Collect(t)
	for _, s := range systems.All(t) {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			made := s.Make(t, withPeople(nil))
			if open(t, made).Has("/etc/ssh") {
				compareSettings(t, made)
				shown.Show(s.ID, "policy", support.Parser)
			}
		})
	}
}

func needsSSHD(t *testing.T) {
	t.Helper()
	require.Tool(t, "unshare")
	require.Tool(t, "sshd")
	if os.Geteuid() != 0 {
		require.Missing(t, "not root")
	}
}

func withPeople(files map[string]string) map[string]string {
	all := map[string]string{"etc/passwd": people, "etc/group": peoplesGroups}
	for p, text := range files {
		all[p] = text
	}
	return all
}

func open(t *testing.T, made tree.Tree) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(made.Dir)
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	return root
}

// compareSettings asks sshd, with the tree's files in place of this machine's, and us.
func compareSettings(t *testing.T, made tree.Tree) {
	t.Helper()
	s, err := Read(open(t, made))
	must(t, err)
	theirs := effective(t, made, s.main)
	for user, groups := range groupsOf {
		ours := map[string][]string{}
		for keyword, missing := range judged {
			keywords := []string{keyword}
			if keyword == "kbdinteractiveauthentication" {
				keywords = append(keywords, "challengeresponseauthentication")
			}
			args, _, unsure := s.value(newLogin(user, groups), keywords...)
			if unsure != "" {
				t.Errorf("%s of %s depends on %s", keyword, user, unsure)
			}
			if len(args) == 0 {
				args = missing
			}
			ours[keyword] = slices.Clone(args)
		}
		spell(ours, theirs[user])
		if diff := cmp.Diff(theirs[user], ours); diff != "" {
			t.Errorf("%s (-sshd +ours):\n%s", user, diff)
		}
	}
}

// spell writes the values in one way: sshd has two words for one of them.
func spell(settings ...map[string][]string) {
	for _, s := range settings {
		for keyword, args := range s {
			for i, a := range args {
				if a == "without-password" {
					a = "prohibit-password"
				}
				s[keyword][i] = a
			}
		}
	}
}

// effective returns what sshd -T prints for a connection of each user.
func effective(t *testing.T, made tree.Tree, config string) map[string]map[string][]string {
	t.Helper()
	script := `set -e
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N "" -f "$KEY"
mount --bind etc/ssh /etc/ssh
mount --bind etc/passwd /etc/passwd
mount --bind etc/group /etc/group
[ ! -d usr/etc ] || mount --bind usr/etc /usr/etc || mount -t overlay -o lowerdir="$PWD/usr:/usr" none /usr
for user in root ann bob; do
	echo "for $user"
	/usr/sbin/sshd -T -f "$CONFIG" -h "$KEY" -C "user=$user,host=far.example.org,addr=192.0.2.9"
done
`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script)
	cmd.Dir = made.Dir
	cmd.Env = append(os.Environ(), "KEY="+filepath.Join(t.TempDir(), "key"), "CONFIG="+filepath.Join(made.Dir, config))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sshd -T: %v\n%s", err, out)
	}
	all, printed := map[string]map[string][]string{}, map[string][]string(nil)
	for line := range strings.Lines(string(out)) {
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "for":
			printed = map[string][]string{}
			all[f[1]] = printed
		case len(f) > 1 && judged[f[0]] != nil:
			printed[f[0]] = append(printed[f[0]], f[1:]...)
		}
	}
	return all
}
