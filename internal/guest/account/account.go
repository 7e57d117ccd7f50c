// Package account changes the accounts of a guest: password hashes and the keys that its
// SSH server takes from their users. It is large because it makes new ones, too, each part of
// which is looked at before the first is written.
//
// A place that an account without privileges can write is judged before root writes
// there: no link is followed, and nothing is read or given away that was not the
// account's.
package account

import (
	"fmt"
	"slices"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// Change is what accounts of a guest get.
type Change struct {
	Users  []string
	Hashes map[string]spec.Secret // of each user, nil to leave the passwords
	Keys   []string               // lines of authorized_keys
	Day    int64                  // of the change, since the epoch
	// Create makes the users that are missing. AllowSSH has the SSH server take the
	// passwords that are set.
	Create, AllowSSH bool
	// Later leaves setting the hashes to the machine itself.
	Later bool
}

// plan is what a Change comes to in one guest.
type plan struct {
	users  []etc.User
	files  []*keyFile
	drafts []draft     // those of users that are to be made
	groups []etc.Group // that are to be made for them
}

// Apply makes the change. Nothing is written before all users and places were looked at.
func (c Change) Apply(g system.Guest) error {
	p, err := c.plan(g)
	if err != nil {
		return err
	}
	if err := c.create(g, p.drafts, p.groups); err != nil {
		return err
	}
	if c.Hashes != nil && !c.Later {
		if err := setHashes(g, p.users, c.Hashes, c.Day); err != nil {
			return err
		}
	}
	for _, f := range p.files {
		var err error
		if len(p.drafts) > 0 { // the skeleton may have one
			err = f.find(g)
		}
		if err == nil {
			err = f.write(g.Root, c.Keys)
		}
		if err != nil {
			return fmt.Errorf("installing keys of the user %s: %w", f.names(), err)
		}
	}
	return c.openServer(g, p.users)
}

// Check finds out, without writing, what Apply would fail with.
func (c Change) Check(g system.Guest) error {
	p, err := c.plan(g)
	if err != nil {
		return err
	}
	var files []string
	if c.Hashes != nil && !c.Later {
		files = []string{"/etc/passwd", "/etc/shadow"}
	}
	if len(p.drafts) > 0 {
		files = accountFiles
	}
	for _, name := range files {
		if err := g.Root.Editable(name); err != nil {
			return err
		}
	}
	return c.checkServer(g)
}

// plan looks up the users and, if there are keys, the files for them.
func (c Change) plan(g system.Guest) (p plan, err error) {
	var missing []string
	if p.users, missing, err = wantedUsers(g, c.Users); err != nil {
		return p, err
	}
	if len(missing) > 0 && !c.Create {
		return p, errMissing(missing[0])
	}
	if len(missing) > 0 {
		if p.drafts, p.groups, err = drafts(g, missing); err != nil {
			return p, err
		}
		for _, d := range p.drafts {
			p.users = append(p.users, d.User)
		}
	}
	if len(c.Keys) > 0 {
		p.files, err = keyFiles(g, p.users, p.drafts)
	}
	return p, err
}

func errMissing(name string) error {
	return &outcome.Remedied{
		Err:    fmt.Errorf("the image has no user %q, which the property USERS names", name),
		Remedy: "name users of the image in the property USERS, or set CREATE_USERS=yes",
	}
}

// Known returns which of the users the image has, and those that somebody else is to make:
// because create says so, or since it makes them anyway.
func Known(g system.Guest, names []string, create bool, makes func(name string) bool) (users, missing []string, err error) {
	known, missing, err := wantedUsers(g, names)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range missing {
		if !create && !makes(name) {
			return nil, nil, errMissing(name)
		}
		if !userName.MatchString(name) {
			return nil, nil, errName(name)
		}
	}
	for _, u := range known {
		users = append(users, u.Name)
	}
	return users, missing, nil
}

// wantedUsers looks up the users in the image, and returns the names of those it lacks.
func wantedUsers(g system.Guest, names []string) (users []etc.User, missing []string, err error) {
	data, err := g.Root.ReadFile("/etc/passwd", rootfs.MaxConfig)
	if err != nil {
		return nil, nil, err
	}
	known := etc.ParsePasswd(data)
	for _, name := range names {
		if u, ok := etc.FindUser(known, name); ok {
			users = append(users, u)
		} else {
			missing = append(missing, name)
		}
	}
	return users, missing, nil
}

// groupsOf returns a function that names the groups of a user in the image.
func groupsOf(root *rootfs.Root, made []draft) (func(etc.User) []string, error) {
	data, err := root.ReadFile("/etc/group", rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return nil, err
	}
	all := etc.ParseGroup(data)
	return func(u etc.User) []string {
		var names []string
		for _, g := range all {
			if g.GID == u.GID || slices.Contains(g.Members, u.Name) {
				names = append(names, g.Name)
			}
		}
		for _, d := range made {
			if d.Name == u.Name {
				names = append(names, d.groups...)
			}
		}
		return names
	}, nil
}

// setHashes writes the hashes where the system looks for them: in /etc/shadow,
// to which an "x" in /etc/passwd points, or, in a system without that file, in
// /etc/passwd itself.
func setHashes(g system.Guest, users []etc.User, hashes map[string]spec.Secret, day int64) error {
	for _, u := range users {
		if _, ok := hashes[u.Name]; !ok {
			return fmt.Errorf("no password hash came for the user %q", u.Name)
		}
	}
	err := g.Root.Edit("/etc/shadow", func(data []byte) (_ []byte, err error) {
		for _, u := range users {
			if data, err = etc.SetShadowHash(data, u.Name, hashes[u.Name].Reveal(), day); err != nil {
				return nil, err
			}
		}
		return data, nil
	})
	shadowed := !rootfs.IsNotExist(err)
	if shadowed && err != nil {
		return err
	}
	return g.Root.Edit("/etc/passwd", func(data []byte) (_ []byte, err error) {
		for _, u := range users {
			field := "x"
			if !shadowed {
				field = hashes[u.Name].Reveal()
			}
			if data, err = etc.SetPasswdHash(data, u.Name, field); err != nil {
				return nil, err
			}
		}
		return data, nil
	})
}
