package task

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/inspect"
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
	if c.Hashes != nil {
		if err := setHashes(r, users, c.Hashes); err != nil {
			return err
		}
	}
	if len(c.AuthorizedKeys) > 0 {
		return authorize(r, users, c.AuthorizedKeys)
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

// authorize adds the keys to the file the image's SSH server reads for each
// user, sshd_config(5) AuthorizedKeysFile.
func authorize(r *Run, users []rootfs.User, keys []string) error {
	server, err := inspect.SSH(r.Root)
	if err != nil {
		return fmt.Errorf("looking for AuthorizedKeysFile: %w", err)
	}
	pattern := server.AuthorizedKeys[0]
	if strings.EqualFold(pattern, "none") {
		r.Warn("the image's SSH server reads no authorized keys (AuthorizedKeysFile none): the keys were not installed")
		return nil
	}
	for _, u := range users {
		if err := authorizeUser(r.Root, u, pattern, keys); err != nil {
			return fmt.Errorf("installing keys of the user %q: %w", u.Name, err)
		}
	}
	return nil
}

func authorizeUser(root *rootfs.Root, u rootfs.User, pattern string, keys []string) error {
	home := path.Clean(u.Home)
	if !path.IsAbs(home) {
		return fmt.Errorf("its home directory %q is not an absolute path", u.Home)
	}
	file, err := expandTokens(pattern, u, home)
	if err != nil {
		return err
	}
	if !path.IsAbs(file) {
		file = home + "/" + file
	}
	file = path.Clean(file)
	if err := makeKeyDir(root, u, home, path.Dir(file)); err != nil {
		return err
	}
	old, err := root.ReadFile(file, rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	attr := rootfs.Attr{Mode: 0o600, UID: u.UID, GID: u.GID}
	return root.WriteFile(file, rootfs.AppendMissing(old, keys), attr)
}

// makeKeyDir makes the missing directories of a keys file: those in the home
// directory are the user's alone, those that lead there are the system's.
func makeKeyDir(root *rootfs.Root, u rootfs.User, home, dir string) error {
	system := rootfs.Attr{Mode: 0o755}
	if dir != home && !strings.HasPrefix(dir, strings.TrimSuffix(home, "/")+"/") {
		_, err := root.MkdirAll(dir, system)
		return err
	}
	if _, err := root.MkdirAll(path.Dir(home), system); err != nil {
		return err
	}
	_, err := root.MkdirAll(dir, rootfs.Attr{Mode: 0o700, UID: u.UID, GID: u.GID})
	return err
}

// expandTokens replaces the tokens sshd_config(5) allows in AuthorizedKeysFile.
func expandTokens(pattern string, u rootfs.User, home string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		if i == len(pattern) {
			return "", errors.New("AuthorizedKeysFile ends in a single %")
		}
		switch pattern[i] {
		case 'h':
			b.WriteString(home)
		case 'u':
			b.WriteString(u.Name)
		case 'U':
			fmt.Fprintf(&b, "%d", u.UID)
		case '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("AuthorizedKeysFile holds the unknown token %%%c", pattern[i])
		}
	}
	return b.String(), nil
}
