package network

import (
	"bytes"
	"strings"

	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// The ends of the names of copies. No "source" line that a distribution
// ships reads such a name.
const (
	keptOriginal = ".snf-image-orig" // the image's own
	keptLast     = ".snf-image-old"  // what a customization of an installed machine replaced
)

// keep puts a copy of the file p, whose content old is to become data, beside it.
// The image's own file is kept once and for all. What we wrote ourselves, with
// header, is worth keeping only on an installed machine, where somebody may have
// edited it since. The copy is for an administrator only: some keep a password
// there. Its name ends with end, where the stack reads any other.
func keep(g system.Guest, p string, old, data []byte, header, end string) error {
	own := strings.HasPrefix(string(old), header)
	suffix := keptOriginal
	if own || g.Living && g.Root.Has(p+keptOriginal+end) {
		suffix = keptLast
	}
	if own && !g.Living || bytes.Equal(old, data) {
		return nil
	}
	return g.Root.WriteFile(p+suffix+end, old, rootfs.Attr{Mode: 0o600})
}

// keepLink is keep for a symbolic link, in whose place a file comes.
func keepLink(g system.Guest, p, end string) error {
	target, err := g.Root.Readlink(p)
	if err != nil {
		return err
	}
	suffix := keptOriginal
	if g.Living && g.Root.Has(p+keptOriginal+end) {
		suffix = keptLast
	}
	return g.Root.Symlink(target, p+suffix+end)
}

// editWhole changes a file of somebody else in which we have lines of ours, or makes it. What
// was there is kept beside.
func editWhole(g system.Guest, p string, mode uint32, edit func(old []byte) []byte) error {
	old, err := g.Root.ReadFile(p, rootfs.MaxConfig)
	if rootfs.IsNotExist(err) {
		return g.Root.WriteFile(p, edit(nil), rootfs.Attr{Mode: mode})
	}
	if err != nil {
		return err
	}
	header, data := netconf.Header, edit(old)
	if netconf.HasBlock(old) {
		header = "" // ours, whatever it begins with
	}
	if err := keep(g, p, old, data, header, ""); err != nil {
		return err
	}
	return g.Root.Edit(p, func([]byte) ([]byte, error) { return data, nil })
}
