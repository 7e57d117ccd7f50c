package account

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/sshd"
	"snf-image/internal/guest/system"
)

// opens reports whether a password hash is one that somebody can log in with.
func opens(hash string) bool { return !strings.HasPrefix(hash, "!") && !strings.HasPrefix(hash, "*") }

// withPassword returns the users that get a password with which they can log in.
func (c Change) withPassword(users []etc.User) []etc.User {
	var out []etc.User
	for _, u := range users {
		if hash, ok := c.Hashes[u.Name]; ok && opens(hash.Reveal()) {
			out = append(out, u)
		}
	}
	return out
}

// checkServer finds out what openServer would fail with.
func (c Change) checkServer(g system.Guest) error {
	server, err := sshd.Read(g.Root)
	if err != nil || !server.Configured || !c.AllowSSH {
		return err
	}
	return server.CheckAllow(g.Root)
}

// openServer has the image's SSH server take the passwords that were set, where that is asked
// for, and warns of what it does not take from the users.
func (c Change) openServer(g system.Guest, users []etc.User) error {
	server, err := sshd.Read(g.Root)
	if err != nil {
		return fmt.Errorf("looking at what the SSH server allows: %w", err)
	}
	groups, err := groupsOf(g.Root, nil)
	if err != nil {
		return err
	}
	var closed []etc.User
	for _, u := range c.withPassword(users) {
		if server.Policy(u, groups(u)).Password.Access != sshd.Allowed {
			closed = append(closed, u)
		}
	}
	if len(closed) > 0 && c.AllowSSH && server.Configured {
		file, err := server.AllowPasswords(g.Root, closed)
		if err != nil {
			return fmt.Errorf("letting passwords in by SSH: %w", err)
		}
		g.Log.Info("the SSH server takes the passwords that were set", "file", file)
		if server, err = sshd.Read(g.Root); err != nil {
			return err
		}
	}
	states, err := States(g.Root, c.Day, func(u etc.User) bool { return slices.Contains(c.Users, u.Name) })
	if err != nil {
		return err
	}
	for _, s := range states {
		c.warn(g, s)
	}
	return nil
}

// warn tells what keeps a user from logging in with what it got.
func (c Change) warn(g system.Guest, s State) {
	u := s.User
	hash, password := c.Hashes[u.Name]
	password = password && opens(hash.Reveal())
	switch {
	case s.NoShell:
		g.Warn("the user %q cannot log in: its shell is %s", u.Name, u.Shell)
	case s.Expired:
		g.Warn("the user %q cannot log in: its account has expired (/etc/shadow)", u.Name)
	case !s.SSH:
	default:
		if password {
			remedy := "set the property SSH_PASSWORD_LOGIN=yes to allow it"
			if c.AllowSSH {
				remedy = "SSH_PASSWORD_LOGIN=yes does not change that"
			}
			warnVerdict(g, "the password", u, s.SSHPassword, "; "+remedy)
		}
		if len(c.Keys) > 0 {
			warnVerdict(g, "the keys", u, s.SSHKeys, "")
		}
	}
}

func warnVerdict(g system.Guest, what string, u etc.User, v sshd.Verdict, remedy string) {
	switch v.Access {
	case sshd.Refused:
		g.Warn("the image's SSH server does not take %s of the user %q: %s%s", what, u.Name, v.Because, remedy)
	case sshd.Sometimes:
		g.Warn("the image's SSH server takes %s of the user %q from some connections only: %s", what, u.Name, v.Because)
	}
}
