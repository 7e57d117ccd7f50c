package task

import (
	"context"
	"errors"
	"fmt"
	"path"

	"snf-image/internal/guest/rootfs"
	"snf-image/internal/spec"
)

// injection is a file of the personality with its owner resolved.
type injection struct {
	file spec.File
	attr rootfs.Attr
}

// enforcePersonality puts the files of the personality into the image. Owners
// and places are looked at before anything is written, so that a wrong one leaves
// no half of the files behind.
func enforcePersonality(_ context.Context, r *Run) error {
	if r.Credentials == nil || len(r.Credentials.Files) == 0 {
		return Skip("no files to inject")
	}
	injections, err := resolve(r.Root, r.Credentials.Files)
	if err != nil {
		return err
	}
	for _, i := range injections {
		if err := inject(r.Root, i); err != nil {
			return fmt.Errorf("injecting %s: %w", i.file.Path, err)
		}
	}
	return nil
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
		if err := root.GuardFile(f.Path, attr.UID); err != nil {
			return nil, unsafePlace(fmt.Errorf("personality entry %d, %s: %w", n+1, f.Path, err))
		}
		if err := checkPlace(root, f.Path); err != nil {
			return nil, fmt.Errorf("personality entry %d: %w", n+1, err)
		}
		out = append(out, injection{file: f, attr: attr})
	}
	return out, nil
}

// checkPlace says whether a file can be made at p: no directory is there, and
// what is there of its directories are some.
func checkPlace(root *rootfs.Root, p string) error {
	if st, err := root.Lstat(p); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory of the image", p)
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		st, err := root.Stat(dir)
		switch {
		case err == nil && !st.IsDir():
			return fmt.Errorf("%s is no directory in the image", dir)
		case err == nil:
			return nil
		case !rootfs.IsNotExist(err) || dir == "/":
			return err
		}
	}
}

// unsafePlace adds a remedy to what Guard found.
func unsafePlace(err error) error {
	if _, unsafe := errors.AsType[*rootfs.UnsafeError](err); unsafe {
		return &Remedied{err, "remove what lies there from the guest, or choose a path that only root can write"}
	}
	return err
}

func inject(root *rootfs.Root, i injection) error {
	parents := i.attr
	parents.Mode = 0o750
	if _, err := root.MkdirAll(path.Dir(i.file.Path), parents); err != nil {
		return err
	}
	return root.WriteFile(i.file.Path, i.file.Contents, i.attr)
}

// owners are the users and groups of the image, read when first needed.
type owners struct {
	users  []rootfs.User
	groups []rootfs.Group
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
			o.users = rootfs.ParsePasswd(data)
		}
		u, ok := rootfs.FindUser(o.users, f.Owner)
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
			o.groups = rootfs.ParseGroup(data)
		}
		g, ok := rootfs.FindGroup(o.groups, f.Group)
		if !ok {
			return a, fmt.Errorf("the image has no group %q", f.Group)
		}
		a.GID = g.GID
	}
	return a, nil
}
