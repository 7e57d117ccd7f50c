package account

import (
	"fmt"
	"slices"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/sshd"
	"snf-image/internal/guest/system"
)

// The files by which a new user may become root.
const (
	sudoersDir = "/etc/sudoers.d"
	ourSudoers = sudoersDir + "/90-snf-image-users"
	doasDir    = "/etc/doas.d"
	doasFile   = "/etc/doas.conf"
	ourDoas    = doasDir + "/snf-image.conf"
)

// empower gives a new user what cloud.cfg gives the default user, by sudo and doas, of which
// the image may have one.
func empower(g system.Guest, d draft) error {
	sudo, doas := has(g.Root, "sudo"), has(g.Root, "doas")
	if len(d.sudo) > 0 && !sudo && !(doas && len(d.doas) > 0) {
		g.Warn("the image has no sudo: the new user %q has no rights of an administrator", d.Name)
	}
	if sudo && len(d.sudo) > 0 {
		if err := allowSudo(g.Root, d); err != nil {
			return err
		}
	}
	if doas && len(d.doas) > 0 {
		return allowDoas(g.Root, d)
	}
	return nil
}

func has(root *rootfs.Root, program string) bool {
	return slices.ContainsFunc([]string{"/usr/bin/", "/bin/", "/usr/local/bin/", "/usr/sbin/"}, func(dir string) bool { return root.IsRegular(dir + program) })
}

// allowSudo writes the rules of sudo for a user, and has sudoers read them.
func allowSudo(root *rootfs.Root, d draft) error {
	if _, err := root.MkdirAll(sudoersDir, rootfs.Attr{Mode: 0o750}); err != nil {
		return err
	}
	var lines []string
	for _, rule := range d.sudo {
		lines = append(lines, d.Name+" "+rule)
	}
	if err := addLines(root, ourSudoers, 0o440, lines); err != nil {
		return err
	}
	main := "/etc/sudoers"
	if !root.Exists(main) {
		main = "/usr/etc/sudoers" // SUSE's, of the vendor
	}
	err := root.Edit(main, func(old []byte) ([]byte, error) {
		for _, line := range etc.SplitLines(old) {
			words := strings.Fields(line)
			if len(words) == 2 && (words[0] == "#includedir" || words[0] == "@includedir") && strings.TrimSuffix(words[1], "/") == sudoersDir {
				return old, nil
			}
		}
		return etc.AppendMissing(old, []string{"#includedir " + sudoersDir}), nil
	})
	if rootfs.IsNotExist(err) {
		return nil
	}
	return err
}

func allowDoas(root *rootfs.Root, d draft) error {
	if root.IsDir(doasDir) {
		return addLines(root, ourDoas, 0o600, d.doas)
	}
	return addLines(root, doasFile, 0o600, d.doas)
}

// addLines adds lines to a file of root's, which may be missing.
func addLines(root *rootfs.Root, p string, mode uint32, lines []string) error {
	if strings.ContainsAny(strings.Join(lines, ""), "\n\r\x00") {
		return fmt.Errorf("a rule of the default user of cloud.cfg for %s holds a line end", p)
	}
	err := root.Edit(p, func(old []byte) ([]byte, error) { return etc.AppendMissing(old, lines), nil })
	if rootfs.IsNotExist(err) {
		return root.WriteFile(p, etc.AppendMissing(nil, lines), rootfs.Attr{Mode: mode})
	}
	return err
}

// lockedHash returns what locks the password of a new account, but lets it in by key: a
// server without PAM refuses one that begins with "!".
func lockedHash(root *rootfs.Root) (string, error) {
	server, err := sshd.Read(root)
	if err != nil {
		return "", err
	}
	if server.Present() && !server.PAM() {
		return "*", nil
	}
	return "!", nil
}
