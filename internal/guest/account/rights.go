package account

import (
	"fmt"
	"path"
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
	err := root.Edit(sudoers(root), func(old []byte) ([]byte, error) {
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

func sudoers(root *rootfs.Root) string {
	if root.Exists("/etc/sudoers") {
		return "/etc/sudoers"
	}
	return "/usr/etc/sudoers" // SUSE's, of the vendor
}

func allowDoas(root *rootfs.Root, d draft) error {
	return addLines(root, doasPath(root), 0o600, d.doas)
}

func doasPath(root *rootfs.Root) string {
	if root.IsDir(doasDir) {
		return ourDoas
	}
	return doasFile
}

// checkRights finds out, without writing, what empower would fail with.
func checkRights(root *rootfs.Root, d draft) error {
	var files []string
	if has(root, "sudo") && len(d.sudo) > 0 {
		files = append(files, ourSudoers, sudoers(root))
		if err := checkLines(ourSudoers, d.sudo); err != nil {
			return err
		}
	}
	if has(root, "doas") && len(d.doas) > 0 {
		files = append(files, doasPath(root))
		if err := checkLines(doasPath(root), d.doas); err != nil {
			return err
		}
	}
	for _, p := range files {
		if !root.Has(path.Dir(p)) {
			continue
		}
		if err := root.Editable(p); err != nil {
			return err
		}
	}
	return nil
}

func checkLines(p string, lines []string) error {
	if strings.ContainsAny(strings.Join(lines, ""), "\n\r\x00") {
		return fmt.Errorf("a rule of the default user of cloud.cfg for %s holds a line end", p)
	}
	return nil
}

// addLines adds lines to a file of root's, which may be missing.
func addLines(root *rootfs.Root, p string, mode uint32, lines []string) error {
	if err := checkLines(p, lines); err != nil {
		return err
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
