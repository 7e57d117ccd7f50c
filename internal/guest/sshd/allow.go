package sshd

import (
	"fmt"
	"path"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
)

// dropIn is the file by which passwords are allowed: it is read before those of distributions
// and of cloud-init.
const dropIn = Dir + "/sshd_config.d/00-snf-image.conf"

// AllowPasswords has the server accept the passwords of the users, and of no others. It
// returns the file that was changed. What the lists of users and AuthenticationMethods forbid
// stays forbidden.
func (s Server) AllowPasswords(root *rootfs.Root, users []etc.User) (string, error) {
	file, edit := s.permission(users)
	if file == dropIn {
		if _, err := root.MkdirAll(path.Dir(dropIn), rootfs.Attr{Mode: 0o755}); err != nil {
			return "", err
		}
		return file, root.WriteFile(file, edit(nil), rootfs.Attr{Mode: 0o600})
	}
	return file, root.Edit(file, func(old []byte) ([]byte, error) { return edit(old), nil })
}

// CheckAllow finds out, without writing, what AllowPasswords would fail with.
func (s Server) CheckAllow(root *rootfs.Root, users []etc.User) error {
	file, _ := s.permission(users)
	if file == dropIn {
		if !root.Has(path.Dir(dropIn)) {
			return nil
		}
		return root.Replaceable(file)
	}
	return root.Editable(file)
}

// permission returns the file to change and what becomes of it. A drop-in counts where the
// configuration includes it for every connection. Blocks of the file itself come last, so
// those before them win.
func (s Server) permission(users []etc.User) (string, func(old []byte) []byte) {
	block := ""
	for _, u := range users {
		block += fmt.Sprintf("Match User %s\n\tPasswordAuthentication yes\n", quoteUser(u.Name))
		if u.UID == 0 {
			block += "\tPermitRootLogin yes\n"
		}
	}
	for pattern := range s.included {
		if ok, err := path.Match(pattern, dropIn); ok && err == nil {
			return dropIn, func([]byte) []byte {
				return []byte("# Written by snf-image: the property SSH_PASSWORD_LOGIN is set.\n" + block)
			}
		}
	}
	return s.main, func(old []byte) []byte { return etc.AppendBlock(old, mark, block) }
}

// mark is the line before what was added to a file of the image.
const mark = "# Added by snf-image: the property SSH_PASSWORD_LOGIN is set."

// quoteUser writes a name so that a Match line takes it as it is.
func quoteUser(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$@+") == "" {
		return name
	}
	escaped := strings.NewReplacer("!", "?", "*", "?", "[", "?", `\`, "?", `"`, "?").Replace(name)
	return `"` + escaped + `"`
}
