package windows

import (
	"regexp"
	"strings"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
	"snf-image/internal/guest/windows/answer"
	"snf-image/internal/guest/windows/script"
	"snf-image/internal/guest/windows/sysprep"
	"snf-image/internal/spec"
)

// productKey is what InstallUnattend makes of a product key.
var productKey = regexp.MustCompile(`^([A-Z0-9]{5}-){4}[A-Z0-9]{5}$`)

// waiting reports whether an earlier run has prepared the set-up, and that was not complete
// since: then it removes the script.
func waiting(root *rootfs.Root) bool { return Prepared(root) && root.IsRegular(script.Passwords) }

// identity is what an answer file says of the name of the computer and of its product key.
type identity struct{ name, key string }

// identityOf reads an answer file, of which something was read or not.
func (s System) identityOf(data []byte, err error) (identity, error) {
	var i identity
	switch {
	case err != nil:
	case s.Major < 6:
		i.name, i.key, err = sysprep.Identity(data)
	default:
		i.name, i.key, err = answer.Identity(data, s.Architecture)
	}
	return i, err
}

// keep has an answer file that takes the place of the one of an earlier run, on a machine that
// was not started since, say the name and the product key that were set then, unless it has
// its own or they are set now: nobody has asked to undo that. What is not of the form that we
// set is given up with the former answer file.
func (a *Answers) keep(g system.Guest, s System) {
	if !g.Living || !a.replaces() || !waiting(g.Root) {
		return
	}
	former, choose := SysprepInf, a.chooseLegacy
	if s.Major >= 6 {
		former, _ = Answer(g.Root)
		choose = func(root *rootfs.Root) ([]byte, error) {
			data, _, err := a.choose(root, s)
			return data, err
		}
	}
	if !g.Root.IsRegular(former) {
		return // somebody has removed it
	}
	now, err := s.identityOf(choose(g.Root))
	if err != nil {
		return // completing it tells why
	}
	old, err := s.identityOf(readPlain(g.Root, former, answer.Size))
	if err != nil {
		g.Warn("%s is replaced, and cannot be read: a computer name or a product key that it set is lost: %v", shown(former), err)
		return
	}
	a.keepIdentity(g, old, now)
}

func (a *Answers) keepIdentity(g system.Guest, old, now identity) {
	ours, _ := ComputerName(old.name)
	switch {
	case a.Named || ours == "" || ours != old.name || strings.EqualFold(ours, now.name):
	case now.name == "":
		a.name = old.name
		g.Log.Info("the computer keeps the name that was set before", "name", a.name)
	default:
		g.Warn("the answer file names the computer %.40q: the name %s, which was set before, is given up", now.name, old.name)
	}
	switch {
	case a.ProductKey != "" || !productKey.MatchString(old.key) || strings.EqualFold(old.key, now.key):
	case now.key == "":
		a.ProductKey = spec.Secret(old.key)
		g.Log.Info("the product key that was set before is kept")
	default:
		g.Warn("the product key of the answer file takes the place of the one that was set before")
	}
}
