package identity

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/sshd"
	"snf-image/internal/guest/system"
	"snf-image/internal/spec"
)

// oldHostKeys are the keys of the image's own machine, besides those that its server names.
const oldHostKeys = "/etc/ssh/ssh_host_*"

// ReplaceHostKeys removes the host keys the image came with and writes fresh ones
// in their places, so that no two machines have the same and the first boot need
// not make any. It removes no key that the server's configuration names unless
// there is a new one for it.
func ReplaceHostKeys(g system.Guest, keys []spec.HostKey) error {
	server, err := sshd.Read(g.Root)
	if err != nil {
		return fmt.Errorf("looking for HostKey: %w", err)
	}
	old, err := g.Root.Glob(oldHostKeys)
	if err != nil {
		return err
	}
	if !server.Present() && len(old) == 0 {
		return outcome.Skip("the image has no SSH server")
	}
	if !server.Configured {
		g.Warn("the image has no /etc/ssh/sshd_config: only /etc/ssh/ssh_host_* were replaced")
	}
	fresh, err := freshKeys(g, server, keys)
	if err != nil {
		return err
	}
	if old, err = writeHostKeys(g.Root, fresh, old); err != nil {
		return err
	}
	for _, p := range old {
		if err := removeKey(g, p); err != nil {
			return err
		}
	}
	return nil
}

// CheckHostKeys finds out, without writing, what ReplaceHostKeys would fail with.
func CheckHostKeys(g system.Guest, keys []spec.HostKey) error {
	server, err := sshd.Read(g.Root)
	if err != nil {
		return fmt.Errorf("looking for HostKey: %w", err)
	}
	if _, err := g.Root.Glob(oldHostKeys); err != nil {
		return err
	}
	_, err = freshKeys(g, server, keys)
	return err
}

// writeHostKeys writes the new keys, each in the place of its old one, and returns
// what is left to remove of old. Nothing is removed before: on a full file system
// the server keeps its keys.
func writeHostKeys(root *rootfs.Root, fresh []freshKey, old []string) ([]string, error) {
	for _, k := range fresh {
		if k.key == nil {
			old = append(old, k.path, k.path+".pub")
		}
	}
	for _, k := range fresh {
		if k.key == nil {
			continue
		}
		if err := writeHostKey(root, k.path, *k.key); err != nil {
			return nil, err
		}
		written := realKey(root, k.path)
		old = slices.DeleteFunc(old, func(p string) bool {
			p = realKey(root, p)
			return p == written || p == written+".pub"
		})
	}
	return old, nil
}

// realKey returns p with the links of its directory resolved: one key may have
// two names.
func realKey(root *rootfs.Root, p string) string {
	dir, err := root.RealPath(path.Dir(p))
	if err != nil {
		return p
	}
	return path.Join(dir, path.Base(p))
}

// freshKey is a host key that is replaced, or only removed.
type freshKey struct {
	path string
	key  *spec.HostKey
}

// freshKeys finds the new key for each that the server's configuration names. It
// changes nothing.
func freshKeys(g system.Guest, server sshd.Server, keys []spec.HostKey) ([]freshKey, error) {
	if !server.Present() {
		return nil, nil
	}
	var fresh []freshKey
	usable := 0
	for _, k := range server.HostKeys {
		if err := checkKeyPlace(g.Root, k.Path); err != nil {
			return nil, outcome.UnsafePlace(fmt.Errorf("replacing the SSH host key %s: %w", k.Path, err))
		}
		if point := g.Unmounted(k.Path); point != "" {
			g.Warn("the SSH host key %s was not replaced: %s of the image's fstab is not mounted", k.Path, point)
			usable++
			continue
		}
		key, ok := hostKey(keys, k.Type)
		switch {
		case ok:
			fresh = append(fresh, freshKey{k.Path, &key})
			usable++
		case k.Obsolete, !g.Root.Has(k.Path):
			g.Warn("no new key was written to %s: the SSH server goes without it", k.Path)
			fresh = append(fresh, freshKey{k.Path, nil})
		default:
			return nil, noFreshKey(k.Path)
		}
	}
	if usable == 0 {
		return nil, noFreshKey(server.HostKeys[0].Path)
	}
	return fresh, nil
}

// checkKeyPlace returns an error if no key can be written to p, or its public half
// beside it.
func checkKeyPlace(root *rootfs.Root, p string) error {
	for _, p := range []string{p, p + ".pub"} {
		place, err := root.Only().FindName(p)
		switch {
		case err != nil:
			return err
		case place.IsDir():
			return fmt.Errorf("%s is a directory of the image", p)
		case place.Dangling != "":
			return fmt.Errorf("%s is a symbolic link to nothing", place.Dangling)
		}
	}
	return nil
}

func noFreshKey(p string) error {
	return &outcome.Remedied{
		Err: fmt.Errorf("replacing the SSH host key %s: it is not an RSA, ECDSA or Ed25519 key, and a new one of its type was not made", p),
		Remedy: "put a key of one of these types there, take its HostKey line out of the image's sshd_config, " +
			"or set the property EXCLUDE_TASK_DELETESSHKEYS=yes",
	}
}

// removeKey removes a file or a symbolic link if there is one. Anything else
// is not a key and stays.
func removeKey(g system.Guest, p string) error {
	st, err := g.Root.Lstat(p)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() && st.Mode().Type() != fs.ModeSymlink {
		g.Warn("%s is neither file nor link: left as it is", p)
		return nil
	}
	return g.Root.Remove(p)
}

// keysign is the program by which Red Hat's systems let users prove who their host is.
const keysign = "/usr/libexec/openssh/ssh-keysign"

// keyAttr returns the attributes of private host keys: root's alone, unless ssh-keysign reads
// them by its group, as with Red Hat before Fedora 38 and EL 10, whose servers take that.
func keyAttr(root *rootfs.Root) rootfs.Attr {
	st, err := root.Stat(keysign)
	if err != nil || st.Mode()&fs.ModeSetgid == 0 {
		return rootfs.Attr{Mode: 0o600}
	}
	data, err := root.ReadFile("/etc/group", rootfs.MaxConfig)
	sys, ok := st.Sys().(*syscall.Stat_t)
	group, found := etc.FindGroup(etc.ParseGroup(data), "ssh_keys")
	if err != nil || !ok || !found || int(sys.Gid) != group.GID {
		return rootfs.Attr{Mode: 0o600}
	}
	return rootfs.Attr{Mode: 0o640, GID: group.GID}
}

func writeHostKey(root *rootfs.Root, p string, key spec.HostKey) error {
	view := root.Only()
	if _, err := view.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	if err := view.WriteFile(p, []byte(key.Private.Reveal()), keyAttr(root)); err != nil {
		return err
	}
	public := strings.TrimSpace(key.Public) + "\n"
	return view.WriteFile(p+".pub", []byte(public), rootfs.Attr{Mode: 0o644})
}

// hostKey returns the new key of a type.
func hostKey(keys []spec.HostKey, kind string) (spec.HostKey, bool) {
	n := slices.IndexFunc(keys, func(k spec.HostKey) bool { return k.Type == kind && kind != "" })
	if n < 0 {
		return spec.HostKey{}, false
	}
	return keys[n], true
}
