package account

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"snf-image/tests/guest"

	"github.com/google/go-cmp/cmp"

	"snf-image/tests/require"
	"snf-image/tests/systems"
)

// TestAsUseradd compares the entries of a new user with those that Debian's useradd makes in
// the same tree. It reads no files in /usr/etc.
func TestAsUseradd(t *testing.T) {
	t.Parallel()
	require.Tool(t, "useradd")
	if os.Geteuid() != 0 {
		require.Missing(t, "not root")
	}
	for _, s := range systems.All(t) {
		want := defaults[s.ID]
		f := strings.Split(want.passwd, ":")
		name := f[0]
		theirs := newGuest(t, s.Make(t, bashes(s)))
		if !theirs.Root.Has("/etc/login.defs") || !theirs.Root.Has("/etc/shadow") || !theirs.Root.Has("/etc/gshadow") {
			continue
		}
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			ours := newGuest(t, s.Make(t, bashes(s)))
			check(t, Change{Users: []string{name}, Keys: []string{key}, Day: day, Create: true}.Apply(ours.Guest))
			for group := range strings.FieldsSeq(want.groups) {
				if line(t, theirs, "etc/group", group) == "" {
					useradd(t, "groupadd", "-r", "-R", theirs.Dir, group)
				}
			}
			useradd(t, "useradd", "-R", theirs.Dir, "-m", "-c", f[4], "-s", f[6], "-G", strings.ReplaceAll(want.groups, " ", ","), name)
			for _, p := range []string{"etc/passwd", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid"} {
				if theirs.Root.Has("/" + p) {
					if diff := cmp.Diff(line(t, theirs, p, name), line(t, ours, p, name)); diff != "" {
						t.Errorf("%s (-useradd +ours):\n%s", p, diff)
					}
				}
			}
			if diff := cmp.Diff(memberships(t, theirs, name), memberships(t, ours, name)); diff != "" {
				t.Errorf("groups (-useradd +ours):\n%s", diff)
			}
			a, b := strings.Split(line(t, theirs, "etc/shadow", name), ":"), strings.Split(line(t, ours, "etc/shadow", name), ":")
			a[2], b[2] = "", "" // the day
			if b[1] == "*" {
				b[1] = "!" // where the SSH server has no PAM
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("shadow (-useradd +ours):\n%s", diff)
			}
			home := "home/" + name
			theirMode, _, _ := theirs.Owned(t, home)
			if mode, _, _ := ours.Owned(t, home); mode != theirMode {
				t.Errorf("home has the mode %o, useradd gives it %o", mode, theirMode)
			}
		})
	}
}

func useradd(t *testing.T, args ...string) {
	t.Helper()
	if args[len(args)-2] == "" { // no groups
		args = append(args[:len(args)-3], args[len(args)-1])
	}
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

// memberships returns the lines of groups that a user is in, with their numbers.
func memberships(t *testing.T, g guest.Guest, name string) []string {
	t.Helper()
	var in []string
	for line := range strings.Lines(g.Content(t, "etc/group")) {
		if strings.Contains(line, ":"+name) || strings.Contains(line, ","+name) {
			f := strings.Split(line, ":")
			in = append(in, f[0]+" "+f[3])
		}
	}
	return in
}
