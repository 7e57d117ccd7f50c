package account

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// accountFiles are the files that a new user is entered in.
var accountFiles = []string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}

// create makes users with their groups, homes and rights. Groups come first: a user without
// its group is worse than a group without users.
func (c Change) create(g system.Guest, users []draft, groups []etc.Group) error {
	if len(users) == 0 {
		return nil
	}
	r, err := readRegister(g.Root)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := enterGroup(g.Root, group); err != nil {
			return err
		}
	}
	for _, d := range users {
		if err := c.enter(g, r, d); err != nil {
			return fmt.Errorf("making the user %q: %w", d.Name, err)
		}
		if err := makeHome(g, r, d); err != nil {
			return fmt.Errorf("making the home of the user %q: %w", d.Name, err)
		}
		if err := empower(g, d); err != nil {
			return fmt.Errorf("giving the user %q its rights: %w", d.Name, err)
		}
		g.Log.Info("user made", "name", d.Name, "uid", d.UID, "groups", strings.Join(d.groups, ","))
	}
	return nil
}

func enterGroup(root *rootfs.Root, group etc.Group) error {
	if err := add(root, "/etc/group", fmt.Sprintf("%s:x:%d:", group.Name, group.GID)); err != nil {
		return err
	}
	return add(root, "/etc/gshadow", group.Name+":!::")
}

// enter enters a user in the files of accounts, locked.
func (c Change) enter(g system.Guest, r *register, d draft) error {
	if d.ownGroup {
		if err := enterGroup(g.Root, etc.Group{Name: d.Name, GID: d.GID}); err != nil {
			return err
		}
	}
	for _, group := range d.groups {
		for _, p := range []string{"/etc/group", "/etc/gshadow"} {
			err := g.Root.Edit(p, func(old []byte) ([]byte, error) { return etc.AddMember(old, group, d.Name), nil })
			if err != nil && !rootfs.IsNotExist(err) {
				return err
			}
		}
	}
	locked, err := lockedHash(g.Root)
	if err != nil {
		return err
	}
	field := "x"
	if !g.Root.Has("/etc/shadow") {
		field = locked
	}
	entry := strings.Join([]string{d.Name, locked, strconv.FormatInt(c.Day, 10), r.aging("PASS_MIN_DAYS"), r.aging("PASS_MAX_DAYS"), r.aging("PASS_WARN_AGE"), "", "", ""}, ":")
	if err := add(g.Root, "/etc/shadow", entry); err != nil {
		return err
	}
	if err := r.subordinate(d.Name); err != nil {
		return err
	}
	return add(g.Root, "/etc/passwd", fmt.Sprintf("%s:%s:%d:%d:%s:%s:%s", d.Name, field, d.UID, d.GID, d.gecos, d.Home, d.Shell))
}

// aging returns a field of the shadow entry, empty where login.defs has none.
func (r *register) aging(name string) string {
	if n := r.number(name, -1); n >= 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// subordinate gives a user numbers for user namespaces, where the image gives them.
func (r *register) subordinate(name string) error {
	for _, f := range []struct{ path, kind string }{{"/etc/subuid", "SUB_UID_"}, {"/etc/subgid", "SUB_GID_"}} {
		count := r.number(f.kind+"COUNT", 65536)
		err := r.root.Edit(f.path, func(old []byte) ([]byte, error) {
			first := etc.FreeRange(old, r.number(f.kind+"MIN", 100000), r.number(f.kind+"MAX", 600100000), count)
			if first == 0 || count == 0 {
				return old, nil
			}
			return etc.AddEntry(old, fmt.Sprintf("%s:%d:%d", name, first, count)), nil
		})
		if err != nil && !rootfs.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// add adds an entry to a file, if the image has it.
func add(root *rootfs.Root, p, entry string) error {
	if strings.ContainsAny(entry, "\n\x00") {
		return errors.New("a value holds a line end")
	}
	err := root.Edit(p, func(old []byte) ([]byte, error) { return etc.AddEntry(old, entry), nil })
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}
