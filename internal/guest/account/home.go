package account

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/system"
)

// maxSkeleton bounds how many files a new home is filled with.
const maxSkeleton = 1000

// makeHome makes the home of a new user from the image's skeleton. One that exists is left as
// it is.
func makeHome(g system.Guest, r *register, d draft) error {
	if g.Root.Has(d.Home) {
		g.Warn("the home %s of the new user %q exists: it was left as it is", d.Home, d.Name)
		return nil
	}
	if _, err := g.Root.MkdirAll(path.Dir(d.Home), rootfs.Attr{Mode: 0o755}); err != nil {
		return err
	}
	s := skeleton{g: g, d: d, view: g.Root.Only(d.UID)}
	return s.fill(r.skeleton(), d.Home, r.homeMode())
}

// checkHome finds out, without writing, what makeHome would fail with.
func checkHome(g system.Guest, r *register, d draft) error {
	if point := g.Unmounted(d.Home); point != "" {
		return hiddenHome(d, point)
	}
	if g.Root.Has(d.Home) {
		return nil
	}
	view := g.Root.Only(d.UID)
	place, err := view.Find(d.Home)
	switch {
	case err != nil:
		return outcome.UnsafePlace(err)
	case place.Dangling != "":
		return fmt.Errorf("%s is a symbolic link to nothing", place.Dangling)
	}
	s := skeleton{g: g, d: d, view: view, dry: true}
	return s.fill(r.skeleton(), d.Home, 0)
}

// hiddenHome is the error of a home that nobody would see on the running machine.
func hiddenHome(d draft, point string) error {
	return outcome.Advise(
		fmt.Errorf("the home %s of the new user %q would lie below %s of the image's fstab, which is not mounted", d.Home, d.Name, point),
		"name users of the image in the property USERS, or leave CREATE_USERS out")
}

// skeleton returns the directory that new homes are filled from.
func (r *register) skeleton() string { return cmp.Or(r.useradd["SKEL"], "/etc/skel") }

// homeMode returns the mode of a new home, login.defs(5) HOME_MODE and UMASK.
func (r *register) homeMode() uint32 {
	if mode, err := strconv.ParseUint(r.defs["HOME_MODE"], 8, 12); err == nil {
		return uint32(mode)
	}
	umask, err := strconv.ParseUint(r.defs["UMASK"], 8, 12)
	if err != nil {
		umask = 0o022
	}
	return 0o777 &^ uint32(umask)
}

// skeleton is a tree that is copied into a home.
type skeleton struct {
	g     system.Guest
	d     draft
	view  rootfs.View
	files int
	dry   bool // it is looked at only
}

// fill makes the directory to and copies what is in from, which may be missing.
func (s *skeleton) fill(from, to string, mode uint32) error {
	if !s.dry {
		if _, err := s.view.MkdirAll(to, rootfs.Attr{Mode: mode, UID: s.d.UID, GID: s.d.GID}); err != nil {
			return err
		}
	}
	names, err := s.g.Root.ReadDir(from)
	if err != nil {
		return nil // no skeleton
	}
	for _, name := range names {
		if s.files++; s.files > maxSkeleton {
			return fmt.Errorf("%s has more than %d files", from, maxSkeleton)
		}
		if err := s.copy(path.Join(from, name), path.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// copy copies a file or directory. Others, such as symbolic links, are left out.
func (s *skeleton) copy(from, to string) error {
	st, err := s.g.Root.Lstat(from)
	if err != nil {
		return err
	}
	mode := uint32(st.Mode().Perm())
	switch st.Mode().Type() {
	case fs.ModeDir:
		return s.fill(from, to, mode)
	case 0:
		data, err := s.g.Root.ReadFile(from, rootfs.MaxConfig)
		if err != nil || s.dry {
			return err
		}
		return s.view.WriteFile(to, data, rootfs.Attr{Mode: mode, UID: s.d.UID, GID: s.d.GID})
	}
	if s.dry {
		return nil
	}
	s.g.Log.Info("not copied into a home", "file", from)
	return nil
}
