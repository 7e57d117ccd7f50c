package task

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// deleteSSHKeys removes the host keys the image came with and writes the fresh
// ones, so that no two machines have the same and the first boot need not make
// any.
func deleteSSHKeys(_ context.Context, r *Run) error {
	server, err := inspect.SSH(r.Root)
	if err != nil {
		return fmt.Errorf("looking for HostKey: %w", err)
	}
	old, err := r.Root.Glob("/etc/ssh/ssh_host_*")
	if err != nil {
		return err
	}
	if !server.Installed && !server.Configured && len(old) == 0 {
		return Skip("the image has no SSH server")
	}
	if !server.Configured {
		r.Warn("the image has no /etc/ssh/sshd_config: only /etc/ssh/ssh_host_* were removed")
	}
	for _, k := range server.HostKeys {
		old = append(old, k.Path, k.Path+".pub")
	}
	for _, p := range old {
		if err := removeKey(r, p); err != nil {
			return err
		}
	}
	if !server.Installed {
		return nil
	}
	return writeHostKeys(r, server)
}

// removeKey removes a file or a symbolic link if there is one. Anything else
// is no key and stays.
func removeKey(r *Run, p string) error {
	st, err := r.Root.Lstat(p)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() && st.Mode().Type() != fs.ModeSymlink {
		r.Warn("%s is neither file nor link: left as it is", p)
		return nil
	}
	return r.Root.Remove(p)
}

// writeHostKeys writes the fresh keys where the server looks for keys of their
// types.
func writeHostKeys(r *Run, server inspect.Server) error {
	for _, k := range server.HostKeys {
		key, ok := hostKey(r.Credentials, k.Type)
		if !ok {
			r.Warn("no new key was written to %s: the SSH server goes without it", k.Path)
			continue
		}
		if err := writeHostKey(r.Root, k.Path, key); err != nil {
			return err
		}
	}
	return nil
}

func writeHostKey(root *rootfs.Root, p string, key spec.HostKey) error {
	if _, err := root.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	if err := root.WriteFile(p, []byte(key.Private.Reveal()), rootfs.Attr{Mode: 0o600}); err != nil {
		return err
	}
	public := strings.TrimSpace(key.Public) + "\n"
	return root.WriteFile(p+".pub", []byte(public), rootfs.Attr{Mode: 0o644})
}

func hostKey(c *spec.Credentials, kind string) (spec.HostKey, bool) {
	if c == nil || kind == "" {
		return spec.HostKey{}, false
	}
	for _, k := range c.HostKeys {
		if k.Type == kind {
			return k, true
		}
	}
	return spec.HostKey{}, false
}
