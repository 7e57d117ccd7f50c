package account

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/guest/sshd"
	"snf-image/internal/guest/system"
)

// keyFile is a file of authorized keys, and the users whose keys the image's SSH
// server reads there.
type keyFile struct {
	path  string
	home  string // of the users, when the file lies in it
	users []etc.User
	place rootfs.Place
	keep  bool // the file exists, and stays whose it is
}

// keyFiles finds the file for each user, sshd_config(5) AuthorizedKeysFile, and
// looks whether root may write there. It changes nothing.
func keyFiles(g system.Guest, users []etc.User, made []draft) ([]*keyFile, error) {
	server, err := sshd.Read(g.Root)
	if err != nil {
		return nil, fmt.Errorf("looking for AuthorizedKeysFile: %w", err)
	}
	groups, err := groupsOf(g.Root, made)
	if err != nil {
		return nil, err
	}
	var files []*keyFile
	for _, u := range users {
		pattern, unsure := server.KeysOf(u.Name, groups(u))
		if unsure != "" {
			g.Warn("whether AuthorizedKeysFile in %q holds for the user %q depends on the connection: "+
				"the keys were put where the server looks without it", unsure, u.Name)
		}
		if strings.EqualFold(pattern, "none") {
			g.Warn("the image's SSH server reads no authorized keys of the user %q (AuthorizedKeysFile none): the keys were not installed", u.Name)
			continue
		}
		f, err := keyFileOf(u, pattern)
		if err != nil {
			return nil, fmt.Errorf("installing keys of the user %q: %w", u.Name, err)
		}
		if point := g.Unmounted(f.path); point != "" {
			g.Warn("the keys of the user %q were not installed: %s lies below %s of the image's fstab, which is not mounted", u.Name, f.path, point)
			continue
		}
		files = merge(files, f, func(f *keyFile) string { return f.path })
	}
	return located(g, files, server.StrictModes)
}

// located finds where the files lie. What is on the way is judged for the users
// whose path it is, before files that are the same are made one.
func located(g system.Guest, files []*keyFile, strict bool) ([]*keyFile, error) {
	var out []*keyFile
	for _, f := range files {
		if err := f.locate(g.Root); err != nil {
			return nil, fmt.Errorf("installing keys of the user %s: %w", f.names(), err)
		}
		out = merge(out, f, func(f *keyFile) string { return f.place.Path })
	}
	for _, f := range out {
		if err := f.check(g); err != nil {
			return nil, fmt.Errorf("installing keys of the user %s: %w", f.names(), err)
		}
		if strict {
			f.warnStrict(g)
		}
	}
	return out, nil
}

// merge adds a file, to the users of one that has the same key.
func merge(files []*keyFile, f *keyFile, key func(*keyFile) string) []*keyFile {
	for _, other := range files {
		if key(other) == key(f) {
			other.users = append(other.users, f.users...)
			return files
		}
	}
	return append(files, f)
}

// view is the tree for the users of the file.
func (f *keyFile) view(root *rootfs.Root) rootfs.View {
	view := root.Only(f.uids()...)
	if f.home != "" {
		view = view.Below(f.home)
	}
	return view
}

// locate finds where the file lies, and makes sure that root may go there.
func (f *keyFile) locate(root *rootfs.Root) (err error) {
	f.place, err = f.view(root).Find(f.path)
	switch {
	case err != nil:
		return outcome.AdviseUnsafe(err, "put a directory or file of the user's in its place, or leave the user out of USERS")
	case f.place.IsDir():
		return fmt.Errorf("%s is a directory of the image", f.path)
	case f.place.Dangling != "":
		return fmt.Errorf("%s is a symbolic link to nothing", f.place.Dangling)
	}
	return nil
}

// find finds out anew where the file lies and what is there.
func (f *keyFile) find(g system.Guest) error {
	if err := f.locate(g.Root); err != nil {
		return err
	}
	return f.check(g)
}

// check makes sure that what is there tells the users nothing they could not read.
func (f *keyFile) check(g system.Guest) error {
	switch old := f.place.File; {
	case old == nil || old.Kind == fs.ModeSymlink: // a link that is left leads to nothing
		return nil
	case !old.Kind.IsRegular():
		_, err := g.Root.ReadFile(f.path, 0) // says what it is
		return err
	default:
		return f.checkReaders(*old)
	}
}

// checkReaders refuses a file that an account without privileges may have put
// there to have it copied: one that its users cannot read, or another name of a
// file of root's. A file that only some of them can read stays as it is.
func (f *keyFile) checkReaders(old rootfs.Inode) error {
	blind := 0
	for _, u := range f.users {
		if !can(u, old.Attr, read) {
			blind++
		}
	}
	own := !f.shared() && old.UID == f.users[0].UID
	err := error(nil)
	switch {
	case f.home != "" && blind == len(f.users):
		err = fmt.Errorf("%s is a file that the user %s cannot read", f.path, f.names())
	case f.place.Open != "" && old.Links > 1 && !own:
		err = fmt.Errorf("%s is a file of uid %d with %d names (hard links)", f.path, old.UID, old.Links)
	}
	if err != nil {
		return &outcome.Remedied{Err: err, Remedy: "remove it, or give it to the user"}
	}
	// One account's file serves the others only when it becomes root's. Where
	// others can write, that would show it to them.
	if f.home == "" && f.place.Open == "" {
		f.keep = !f.shared() || old.UID == 0
	} else {
		f.keep = blind > 0 || f.home == "" && !f.shared()
	}
	return nil
}

// attr is what the file gets: in a home that is one user's it is that user's
// alone, elsewhere root's and readable for all, since the server reads it as the
// user.
func (f *keyFile) attr() rootfs.Attr {
	if f.keep {
		return f.place.File.Attr
	}
	if f.home == "" || f.shared() {
		return rootfs.Attr{Mode: 0o644}
	}
	u := f.users[0]
	return rootfs.Attr{Mode: 0o600, UID: u.UID, GID: u.GID}
}

// warnStrict warns of what makes the server ignore the file for a user,
// sshd_config(5) StrictModes: that, or a directory on the way from the home,
// belongs to others or can be written by them, or the user cannot go there.
func (f *keyFile) warnStrict(g system.Guest) {
	way := []rootfs.Inode{{Path: f.path, Attr: f.attr()}}
	if f.home != "" && g.Root.IsDir(f.home) {
		home, _ := g.Root.RealPath(f.home)
		for _, d := range f.place.Dirs {
			if d.Path == home || strings.HasPrefix(d.Path, strings.TrimSuffix(home, "/")+"/") {
				way = append(way, d)
			}
		}
	} else if f.home == "" {
		way = append(way, f.place.Dirs...)
	}
	for _, u := range f.users {
		for n, i := range way {
			needs, why := uint32(search), ""
			if n == 0 {
				needs = read
			}
			switch {
			case i.UID != 0 && i.UID != u.UID:
				why = fmt.Sprintf("belongs to uid %d, neither to the user nor to root", i.UID)
			case i.Mode&0o022 != 0:
				why = fmt.Sprintf("can be written by others (mode %04o)", i.Mode)
			case !can(u, i.Attr, needs):
				why = fmt.Sprintf("is not open to the user (mode %04o, of uid %d)", i.Mode, i.UID)
			default:
				continue
			}
			g.Warn("the SSH server will ignore the keys of the user %q: %s %s", u.Name, i.Path, why)
		}
	}
}

// The bits of a mode: what a user needs of a file or directory.
const (
	read   = 4
	search = 1
)

// can reports whether a user has what it needs. An owner may change the mode.
func can(u etc.User, a rootfs.Attr, needs uint32) bool {
	switch {
	case u.UID == 0 || u.UID == a.UID:
		return true
	case u.GID == a.GID:
		return a.Mode>>3&needs != 0
	}
	return a.Mode&needs != 0
}

// uids are the users' numbers, each once.
func (f *keyFile) uids() []int {
	var uids []int
	seen := map[int]bool{}
	for _, u := range f.users {
		if !seen[u.UID] {
			uids = append(uids, u.UID)
		}
		seen[u.UID] = true
	}
	return uids
}

// shared reports whether accounts of several numbers use the file. The server
// takes it then only if it is root's and everybody may read it.
func (f *keyFile) shared() bool { return len(f.uids()) > 1 }

// names lists the users for a message.
func (f *keyFile) names() string {
	var names []string
	for _, u := range f.users {
		names = append(names, strconv.Quote(u.Name))
	}
	return strings.Join(names, ", ")
}

// write adds the keys to the file, each once. Missing directories in a home that
// is one user's are that user's alone, those that lead there are the system's.
func (f *keyFile) write(root *rootfs.Root, keys []string) error {
	view, system, dir := f.view(root), rootfs.Attr{Mode: 0o755}, rootfs.Attr{Mode: 0o755}
	if f.home != "" && !f.shared() {
		u := f.users[0]
		dir = rootfs.Attr{Mode: 0o700, UID: u.UID, GID: u.GID}
	}
	if f.home != "" {
		if _, err := view.MkdirAll(path.Dir(f.home), system); err != nil {
			return err
		}
	}
	if _, err := view.MkdirAll(path.Dir(f.path), dir); err != nil {
		return err
	}
	return view.Update(f.path, f.place, f.attr(), func(old []byte) []byte { return etc.AppendMissing(old, keys) })
}
