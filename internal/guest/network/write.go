package network

import (
	"io/fs"
	"path"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// write makes the file p, in a directory that it makes if need be. What was there is kept
// beside.
func write(g system.Guest, p string, data []byte, mode uint32) error {
	return writeWith(g, p, data, mode, "")
}

// writeWith is write with an end for the name of the copy.
func writeWith(g system.Guest, p string, data []byte, mode uint32, end string) error {
	if _, err := g.Root.MkdirAll(path.Dir(p), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	st, err := g.Root.Lstat(p)
	switch {
	case err == nil && st.Mode().Type() == fs.ModeSymlink:
		if err := keepLink(g, p, end); err != nil {
			return err
		}
	case err == nil && st.Mode().IsRegular():
		old, err := g.Root.ReadFile(p, rootfs.MaxConfig)
		if err == nil {
			err = keep(g, p, old, data, netconf.Header, end)
		}
		if err != nil {
			return err
		}
		if string(old) == string(data) {
			return nil
		}
	}
	return g.Root.WriteFile(p, data, rootfs.Attr{Mode: mode})
}

// setAside gives a file a name that its stack does not read: its own with a suffix.
func setAside(g system.Guest, p, end string) error {
	suffix := keptOriginal
	if g.Living && g.Root.Has(p+keptOriginal+end) {
		suffix = keptLast
	}
	g.Log.Info("set aside", "file", p, "as", p+suffix+end)
	return g.Root.Rename(p, p+suffix+end)
}

// removeOwn removes the files that an earlier run wrote and this one did not, those of a
// installed machine by setting them aside.
func removeOwn(g system.Guest, pattern string, written map[string]bool, end string) error {
	found, err := g.Root.Glob(pattern)
	if err != nil {
		return err
	}
	for _, p := range found {
		if written[p] || strings.HasSuffix(p, keptOriginal+end) || strings.HasSuffix(p, keptLast+end) {
			continue
		}
		drop := g.Root.Remove
		if g.Living {
			drop = func(p string) error { return g.Root.Rename(p, p+keptLast+end) }
		}
		if err := drop(p); err != nil {
			return err
		}
	}
	return nil
}

// replaceable is Root.Replaceable for a file whose directory write makes.
func replaceable(g system.Guest, p string) error {
	if g.Root.Has(path.Dir(p)) {
		return g.Root.Replaceable(p)
	}
	return nil
}

// editable is Root.Editable for a file whose directory may be missing.
func editable(g system.Guest, p string) error {
	if g.Root.Has(path.Dir(p)) {
		return g.Root.Editable(p)
	}
	return nil
}
