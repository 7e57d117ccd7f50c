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

// AllowPasswords has the server accept the passwords of the users. It returns the file that
// was changed, which keeps the users of earlier runs. What the lists of users and
// AuthenticationMethods forbid stays forbidden.
func (s Server) AllowPasswords(root *rootfs.Root, users []etc.User) (string, error) {
	file := s.allowFile()
	if file != dropIn {
		return file, root.Edit(file, func(old []byte) ([]byte, error) { return allow(old, added, users), nil })
	}
	if _, err := root.MkdirAll(path.Dir(dropIn), rootfs.Attr{Mode: 0o755}); err != nil {
		return "", err
	}
	old, err := root.ReadFile(file, maxConfig)
	if err != nil || !strings.HasPrefix(string(old), written) {
		old = nil // none of ours
	}
	return file, root.WriteFile(file, allow(old, written, users), rootfs.Attr{Mode: 0o600})
}

// CheckAllow finds out, without writing, what AllowPasswords would fail with.
func (s Server) CheckAllow(root *rootfs.Root) error {
	file := s.allowFile()
	if file == dropIn {
		if !root.Has(path.Dir(dropIn)) {
			return nil
		}
		return root.Replaceable(file)
	}
	return root.Editable(file)
}

// allowFile returns the file to change. A drop-in counts where the configuration includes it
// for every connection. Blocks of the file itself come last, so those before them win.
func (s Server) allowFile() string {
	for pattern := range s.included {
		if ok, err := path.Match(pattern, dropIn); ok && err == nil {
			return dropIn
		}
	}
	return s.main
}

// The lines before the blocks of users, in a file of our own and in one of the image.
const (
	written = "# Written by snf-image: the property SSH_PASSWORD_LOGIN is set."
	added   = "# Added by snf-image: the property SSH_PASSWORD_LOGIN is set."
)

// allow adds a block for each of the users who has none to a configuration.
func allow(config []byte, mark string, users []etc.User) []byte {
	for _, u := range users {
		block := fmt.Sprintf("Match User %s\n\tPasswordAuthentication yes\n", quoteUser(u.Name))
		if u.UID == 0 {
			block += "\tPermitRootLogin yes\n"
		}
		config = etc.AppendBlock(config, mark, block)
	}
	return config
}

// quoteUser writes a name so that a Match line takes it as it is.
func quoteUser(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$@+") == "" {
		return name
	}
	escaped := strings.NewReplacer("!", "?", "*", "?", "[", "?", `\`, "?", `"`, "?").Replace(name)
	return `"` + escaped + `"`
}
