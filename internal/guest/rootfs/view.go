package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// View is the tree as far as it may be changed for some accounts of the image.
// Below a directory that others than root can write, a View goes through no
// symbolic link and meets nothing that belongs to others than root and its
// accounts; it is an UnsafeError then.
type View struct {
	root *Root
	guard
}

// For returns a view for the accounts and the owner of the topmost directory on
// the way that others than root can write: a file of root's may go into a home.
func (r *Root) For(uids ...int) View { return View{r, guard{users: uids, resident: true}} }

// Only returns a view for these accounts alone.
func (r *Root) Only(uids ...int) View { return View{r, guard{users: uids}} }

// Below returns the view that follows no link below the directory dir, whoever
// can write there.
func (v View) Below(dir string) View {
	v.sealed = strings.TrimSuffix(path.Clean(dir), "/") + "/"
	return v
}

// Place says where a path leads.
type Place struct {
	// Path is without symbolic links, of what is there or would be made.
	Path string
	// Dirs are the directories on the way that exist, the top first; the last is
	// the place itself when that is a directory.
	Dirs []Inode
	// File is what is there and no directory, nil for nothing.
	File *Inode
	// Dangling is the symbolic link on the way whose target is missing, "" for none.
	Dangling string
	// Open is the topmost directory on the way that others than root can write, ""
	// for none.
	Open string
}

// Inode is an existing file or directory.
type Inode struct {
	Path string
	Attr
	Kind  fs.FileMode // type bits
	Links int

	dev, ino uint64
}

// WrittenByOthers reports whether the mode lets others than root write it.
func (i Inode) WrittenByOthers() bool {
	return i.UID != 0 && i.UID != os.Geteuid() || i.Mode&0o002 != 0 || i.Mode&0o020 != 0 && i.GID != 0 && i.GID != os.Getegid()
}

// IsDir reports whether a directory is at the place.
func (p Place) IsDir() bool { return p.File == nil && p.Dirs[len(p.Dirs)-1].Path == p.Path }

// Find returns where p leads. Symbolic links are followed, the last one only to
// something that exists.
func (v View) Find(p string) (Place, error) {
	at, err := v.find(p)
	if err != nil {
		return Place{}, wrap("looking at", p, err)
	}
	defer at.close()
	return at.export(), nil
}

// FindName is like Find, but a symbolic link at the end is the file itself.
func (v View) FindName(p string) (Place, error) {
	at, err := v.root.walk(p, v.guard, false)
	if err != nil {
		return Place{}, wrap("looking at", p, err)
	}
	defer at.close()
	return at.export(), nil
}

func (v View) find(p string) (place, error) {
	at, err := v.root.walk(p, v.guard, true)
	if err != nil || at.dangling == "" {
		return at, err
	}
	at.close()
	return v.root.walk(p, v.guard, false)
}

func (p place) export() Place {
	out := Place{Path: p.real(), Dangling: p.dangling, Open: p.last().below}
	for _, s := range p.steps {
		out.Dirs = append(out.Dirs, inode(s.path, s.stat))
	}
	if p.leaf != "" {
		file := inode(out.Path, p.stat)
		out.File = &file
	}
	return out
}

func inode(p string, st unix.Stat_t) Inode {
	return Inode{Path: p, Attr: attrOf(st), Kind: kindBits(st), Links: int(st.Nlink), dev: st.Dev, ino: st.Ino}
}

// WriteFile is Root.WriteFile in the view.
func (v View) WriteFile(p string, data []byte, a Attr) error {
	return wrap("writing", p, v.root.writeFile(p, data, a, v.guard))
}

// MkdirAll is Root.MkdirAll in the view.
func (v View) MkdirAll(p string, a Attr) ([]string, error) { return v.root.mkdirAll(p, a, v.guard) }

// Update passes the content of the file that Find found at p, nothing for a new
// one, to edit and writes the result with the attributes a in one step. What was
// found must still be there. Extended attributes stay when the owner does. The
// file is not touched when neither content nor attributes change.
func (v View) Update(p string, found Place, a Attr, edit func(old []byte) []byte) error {
	return wrap("editing", p, v.update(p, found, a, edit))
}

func (v View) update(p string, found Place, a Attr, edit func([]byte) []byte) error {
	at, err := v.find(p)
	if err != nil {
		return err
	}
	defer at.close()
	if now := at.export(); now.IsDir() || (now.File == nil) != (found.File == nil) || now.File != nil && *now.File != *found.File {
		return errors.New("the file was replaced meanwhile")
	}
	if found.File == nil || found.File.Kind == fs.ModeSymlink { // a link that is left leads to nothing
		return v.root.replaceAt(at, edit(nil), a, nil)
	}
	f, err := at.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	old, err := readAll(f, MaxConfig)
	if err != nil {
		return err
	}
	data := edit(old)
	if string(data) == string(old) && a == found.File.Attr {
		return nil
	}
	like := f
	if a.UID != found.File.UID {
		like = nil
	}
	return v.root.replaceAt(at, data, a, like)
}
