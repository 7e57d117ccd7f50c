package task

import (
	"context"
	"fmt"
	"slices"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

const secondsOfDay = 24 * 60 * 60

// changePassword sets the credentials of the users in USERS: password hash,
// authorized keys or both.
func changePassword(_ context.Context, r *Run) error {
	c := r.Credentials
	if c == nil || c.Hashes == nil && len(c.AuthorizedKeys) == 0 {
		return Skip("neither password nor keys are to be set")
	}
	users, err := wantedUsers(r)
	if err != nil {
		return err
	}
	var files []*keyFile
	if len(c.AuthorizedKeys) > 0 { // looked at before anything is written
		if files, err = keyFiles(r, users); err != nil {
			return err
		}
	}
	if c.Hashes != nil {
		if err := setHashes(r, users, c.Hashes); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := f.write(r.Root, c.AuthorizedKeys); err != nil {
			return fmt.Errorf("installing keys of the user %s: %w", f.names(), err)
		}
	}
	return nil
}

// wantedUsers looks up the users in the image; none may be missing.
func wantedUsers(r *Run) ([]rootfs.User, error) {
	data, err := r.Root.ReadFile("/etc/passwd", rootfs.MaxConfig)
	if err != nil {
		return nil, err
	}
	known := rootfs.ParsePasswd(data)
	var users []rootfs.User
	for _, name := range r.Plan.Users {
		u, ok := rootfs.FindUser(known, name)
		if !ok {
			return nil, &Remedied{
				Err:    fmt.Errorf("the image has no user %q, which the property USERS names", name),
				Remedy: "name users of the image in the property USERS",
			}
		}
		users = append(users, u)
	}
	return users, nil
}

// groupsOf returns a function that names the groups of a user in the image.
func groupsOf(root *rootfs.Root) (func(rootfs.User) []string, error) {
	data, err := root.ReadFile("/etc/group", rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return nil, err
	}
	all := rootfs.ParseGroup(data)
	return func(u rootfs.User) []string {
		var names []string
		for _, g := range all {
			if g.GID == u.GID || slices.Contains(g.Members, u.Name) {
				names = append(names, g.Name)
			}
		}
		return names
	}, nil
}

// setHashes writes the hashes where the system looks for them: in /etc/shadow,
// to which an "x" in /etc/passwd points, or, in a system without that file, in
// /etc/passwd itself.
func setHashes(r *Run, users []rootfs.User, hashes map[string]spec.Secret) error {
	for _, u := range users {
		if _, ok := hashes[u.Name]; !ok {
			return fmt.Errorf("no password hash came for the user %q", u.Name)
		}
	}
	day := r.Plan.UnixTime / secondsOfDay
	err := r.Root.Edit("/etc/shadow", func(data []byte) (_ []byte, err error) {
		for _, u := range users {
			if data, err = rootfs.SetShadowHash(data, u.Name, hashes[u.Name].Reveal(), day); err != nil {
				return nil, err
			}
		}
		return data, nil
	})
	shadowed := !rootfs.IsNotExist(err)
	if shadowed && err != nil {
		return err
	}
	return r.Root.Edit("/etc/passwd", func(data []byte) (_ []byte, err error) {
		for _, u := range users {
			field := "x"
			if !shadowed {
				field = hashes[u.Name].Reveal()
			}
			if data, err = rootfs.SetPasswdHash(data, u.Name, field); err != nil {
				return nil, err
			}
		}
		return data, nil
	})
}
