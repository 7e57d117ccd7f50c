package account

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// draft is a user that is to be made.
type draft struct {
	etc.User
	gecos    string
	ownGroup bool     // a group of the user's name is made, too
	groups   []string // further ones
	sudo     []string // its rules in sudoers(5), without the name
	doas     []string // its rules in doas.conf(5)
}

// register is what the numbers and settings of new users come from.
type register struct {
	users   []etc.User
	groups  []etc.Group
	defs    map[string]string // login.defs(5)
	useradd map[string]string // /etc/default/useradd
	like    cloudinit.DefaultUser
	root    *rootfs.Root
	fresh   []etc.Group // groups that are made because users belong to them
}

// userName is what useradd(8) takes.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

func errName(name string) error {
	return outcome.Advise(fmt.Errorf("making the user %q: this is not a name for a new account", name), "correct the property USERS")
}

// drafts plans the users that are missing, as the image's cloud-init would make its default
// user, with the numbers and files that useradd would choose.
func drafts(g system.Guest, missing []string) ([]draft, []etc.Group, error) {
	r, err := readRegister(g.Root)
	if err != nil {
		return nil, nil, err
	}
	if r.like.Name == "" {
		g.Warn("the image has no cloud.cfg with a default user: %s gets no groups and no rights of an administrator", strings.Join(missing, ", "))
	}
	var out []draft
	for _, name := range missing {
		if !userName.MatchString(name) {
			return nil, nil, errName(name)
		}
		d, err := r.draft(name)
		if err == nil {
			err = checkHome(g, r, d)
		}
		if err == nil {
			err = checkRights(g.Root, d)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("making the user %q: %w", name, err)
		}
		out = append(out, d)
	}
	return out, r.fresh, nil
}

// readRegister reads the image's accounts, and how it makes new ones.
func readRegister(root *rootfs.Root) (*register, error) {
	r := &register{root: root}
	passwd, err := root.ReadFile("/etc/passwd", rootfs.MaxConfig)
	if err != nil {
		return nil, err
	}
	group, err := root.ReadFile("/etc/group", rootfs.MaxConfig)
	if err != nil {
		return nil, err
	}
	r.users, r.groups = etc.ParsePasswd(passwd), etc.ParseGroup(group)
	defs, err := vendored(root, "login.defs")
	if err != nil {
		return nil, err
	}
	r.defs = map[string]string{"USERGROUPS_ENAB": "yes"} // as small systems have it without this file
	if defs != nil {
		r.defs = etc.ParseDefs(defs)
	}
	useradd, err := vendored(root, "default/useradd")
	if err != nil {
		return nil, err
	}
	r.useradd = etc.ParseAssignments(useradd)
	config, err := cloudinit.ReadConfig(root)
	if err != nil {
		return nil, err
	}
	if like := config.SystemInfo.DefaultUser; like != nil {
		r.like = *like
	}
	return r, nil
}

// vendored reads a file of /etc, or the vendor's in /usr/etc; nil if there is none.
func vendored(root *rootfs.Root, name string) ([]byte, error) {
	for _, dir := range []string{"/etc/", "/usr/etc/"} {
		data, err := root.ReadFile(dir+name, rootfs.MaxConfig)
		if err == nil || !rootfs.IsNotExist(err) {
			return data, err
		}
	}
	return nil, nil
}

// number returns a setting of login.defs, or what useradd takes without it.
func (r *register) number(name string, missing int64) int64 {
	if n, err := strconv.ParseInt(r.defs[name], 0, 64); err == nil && n >= 0 {
		return n
	}
	return missing
}

// draft plans a user, and enters it.
func (r *register) draft(name string) (draft, error) {
	d := draft{User: etc.User{Name: name}, sudo: r.like.Sudo, doas: r.like.DoasOf(name)}
	if name == r.like.Name {
		d.gecos = strings.Map(printable, r.like.Gecos)
	}
	d.Home = path.Join(cmp.Or(r.useradd["HOME"], "/home"), name)
	d.Shell = r.shell()
	if strings.ContainsAny(d.Home, ":\n\x00") {
		return d, fmt.Errorf("its home %q, by /etc/default/useradd, cannot stand in /etc/passwd", d.Home)
	}
	var err error
	used := map[int]bool{}
	for _, u := range r.users {
		used[u.UID] = true
	}
	if d.UID, err = free(used, r.number("UID_MIN", 1000), r.number("UID_MAX", 60000), 0); err != nil {
		return d, err
	}
	if d.GID, d.ownGroup, err = r.primary(name, d.UID); err != nil {
		return d, err
	}
	if d.groups, err = r.further(); err != nil {
		return d, err
	}
	r.users = append(r.users, d.User)
	if d.ownGroup {
		r.groups = append(r.groups, etc.Group{Name: name, GID: d.GID})
	}
	return d, nil
}

func printable(c rune) rune {
	if c < ' ' || c == ':' || c == 0x7f {
		return -1
	}
	return c
}

// shell returns the shell of new users that the image has.
func (r *register) shell() string {
	for _, p := range []string{r.like.Shell, r.useradd["SHELL"], "/bin/bash"} {
		if path.IsAbs(p) && !strings.Contains(p, ":") && r.root.Exists(p) {
			return p
		}
	}
	return "/bin/sh"
}

// primary returns the primary group of a user, which may be a new one.
func (r *register) primary(name string, uid int) (gid int, own bool, err error) {
	if g, ok := etc.FindGroup(r.groups, cmp.Or(r.like.PrimaryGroup, name)); ok {
		return g.GID, false, nil
	}
	if !r.like.NoUserGroup && r.like.PrimaryGroup == "" && strings.EqualFold(r.defs["USERGROUPS_ENAB"], "yes") {
		gid, err = free(r.gids(), r.number("GID_MIN", 1000), r.number("GID_MAX", 60000), uid)
		return gid, true, err
	}
	usual := cmp.Or(r.useradd["GROUP"], "100")
	if g, ok := etc.FindGroup(r.groups, usual); ok {
		return g.GID, false, nil
	}
	gid, err = strconv.Atoi(usual)
	if err != nil || gid < 0 {
		return 0, false, fmt.Errorf("its group %q, which /etc/default/useradd names, is not there", usual)
	}
	return gid, false, nil
}

func (r *register) gids() map[int]bool {
	used := map[int]bool{}
	for _, g := range r.groups {
		used[g.GID] = true
	}
	return used
}

// maxGroups is more than any account of a distribution has.
const maxGroups = 100

// further returns the other groups of new users. Those that are missing are made, as
// cloud-init does.
func (r *register) further() ([]string, error) {
	names := r.like.GroupNames()
	if len(names) > maxGroups {
		return nil, fmt.Errorf("the default user of cloud.cfg has more than %d groups", maxGroups)
	}
	for _, name := range names {
		if !userName.MatchString(name) {
			return nil, fmt.Errorf("%q in the groups of the default user of cloud.cfg is not a name", name)
		}
		if _, ok := etc.FindGroup(r.groups, name); ok {
			continue
		}
		used := r.gids()
		gid, err := free(used, r.number("SYS_GID_MIN", 101), r.number("SYS_GID_MAX", r.number("GID_MIN", 1000)-1), 0)
		if err != nil {
			return nil, err
		}
		made := etc.Group{Name: name, GID: gid}
		r.groups, r.fresh = append(r.groups, made), append(r.fresh, made)
	}
	return names, nil
}

// free returns a number that is not used: the wanted one, the one behind the highest used
// one, or the first.
func free(used map[int]bool, first, last int64, wanted int) (int, error) {
	if wanted > 0 && !used[wanted] {
		return wanted, nil
	}
	next := int(first)
	for _, n := range slices.Collect(maps.Keys(used)) {
		if int64(n) >= first && int64(n) <= last {
			next = max(next, n+1)
		}
	}
	if int64(next) <= last {
		return next, nil
	}
	for n := int(first); int64(n) <= last; n++ {
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no number from %d to %d is free", first, last)
}
