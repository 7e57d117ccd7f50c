// Package personality puts files into a guest.
//
// Owners and places are looked at before anything is written, so that a wrong one leaves
// no half of the files behind.
package personality

import (
	"fmt"
	"path"

	"snf-image/internal/guest/etc"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// Inject puts the files into the tree.
func Inject(root *rootfs.Root, files []spec.File) error {
	injections, err := resolve(root, files)
	if err != nil {
		return err
	}
	for _, i := range injections {
		if err := inject(root, i); err != nil {
			return fmt.Errorf("injecting %s: %w", i.file.Path, err)
		}
	}
	return nil
}

// injection is a file of the personality with its owner resolved.
type injection struct {
	file spec.File
	attr rootfs.Attr
}

// resolve finds owner and group of each file in the image. Of two files with
// the same path the last counts.
func resolve(root *rootfs.Root, files []spec.File) ([]injection, error) {
	last := map[string]int{}
	for n, f := range files {
		last[path.Clean(f.Path)] = n
	}
	var out []injection
	var names owners
	for n, f := range files {
		if last[path.Clean(f.Path)] != n {
			continue
		}
		if !path.IsAbs(f.Path) {
			return nil, fmt.Errorf("personality entry %d: the path %q is not absolute", n+1, f.Path)
		}
		attr, err := names.attr(root, f)
		if err != nil {
			return nil, fmt.Errorf("personality entry %d, %s: %w", n+1, f.Path, err)
		}
		i := injection{file: f, attr: attr}
		if err := checkPlace(root, i); err != nil {
			return nil, fmt.Errorf("personality entry %d: %w", n+1, err)
		}
		out = append(out, i)
	}
	return out, nil
}

// checkPlace reports as an error what keeps a file from being made: a directory
// in its place, something else on the way to it, or what an account of the image
// may have put there to lead it elsewhere.
func checkPlace(root *rootfs.Root, i injection) error {
	place, err := i.view(root).FindName(i.file.Path)
	switch {
	case err != nil:
		return outcome.UnsafePlace(err)
	case place.IsDir():
		return fmt.Errorf("%s is a directory of the image", i.file.Path)
	case place.Dangling != "":
		return fmt.Errorf("%s is a symbolic link to nothing", place.Dangling)
	}
	return nil
}

// view is the tree for the owner of the file.
func (i injection) view(root *rootfs.Root) rootfs.View { return root.For(i.attr.UID) }

func inject(root *rootfs.Root, i injection) error {
	parents := i.attr
	parents.Mode = 0o750
	view := i.view(root)
	if _, err := view.MkdirAll(path.Dir(i.file.Path), parents); err != nil {
		return err
	}
	return view.WriteFile(i.file.Path, i.file.Contents, i.attr)
}

// owners are the users and groups of the image, read when first needed.
type owners struct {
	users  []etc.User
	groups []etc.Group
}

// attr returns mode, owner and group of f. Without names both are 0, for which
// the image needs no entry.
func (o *owners) attr(root *rootfs.Root, f spec.File) (rootfs.Attr, error) {
	a := rootfs.Attr{Mode: f.Mode}
	if f.Owner != "" && f.Owner != "root" {
		if o.users == nil {
			data, err := root.ReadFile("/etc/passwd", rootfs.MaxConfig)
			if err != nil {
				return a, err
			}
			o.users = etc.ParsePasswd(data)
		}
		u, ok := etc.FindUser(o.users, f.Owner)
		if !ok {
			return a, fmt.Errorf("the image has no user %q", f.Owner)
		}
		a.UID = u.UID
	}
	if f.Group != "" && f.Group != "root" {
		if o.groups == nil {
			data, err := root.ReadFile("/etc/group", rootfs.MaxConfig)
			if err != nil {
				return a, err
			}
			o.groups = etc.ParseGroup(data)
		}
		g, ok := etc.FindGroup(o.groups, f.Group)
		if !ok {
			return a, fmt.Errorf("the image has no group %q", f.Group)
		}
		a.GID = g.GID
	}
	return a, nil
}
