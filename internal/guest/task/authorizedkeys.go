package task

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/rootfs"
)

// keyFile is a file of authorized keys, and the users whose keys the image's SSH
// server reads there.
type keyFile struct {
	path  string
	home  string // of the users, when the file lies in it
	users []rootfs.User
	keep  bool // the file exists, and stays whose it is
}

// keyFiles finds the file for each user, sshd_config(5) AuthorizedKeysFile, and
// looks whether root may write there. It changes nothing.
func keyFiles(r *Run, users []rootfs.User) ([]*keyFile, error) {
	server, err := inspect.SSH(r.Root)
	if err != nil {
		return nil, fmt.Errorf("looking for AuthorizedKeysFile: %w", err)
	}
	groups, err := groupsOf(r.Root)
	if err != nil {
		return nil, err
	}
	var files []*keyFile
	for _, u := range users {
		pattern, unsure := server.KeysOf(u.Name, groups(u))
		if unsure != "" {
			r.Warn("whether AuthorizedKeysFile in %q holds for the user %q depends on the connection: "+
				"the keys were put where the server looks without it", unsure, u.Name)
		}
		if strings.EqualFold(pattern, "none") {
			r.Warn("the image's SSH server reads no authorized keys of the user %q (AuthorizedKeysFile none): the keys were not installed", u.Name)
			continue
		}
		f, err := keyFileOf(u, pattern)
		if err != nil {
			return nil, fmt.Errorf("installing keys of the user %q: %w", u.Name, err)
		}
		files = merge(r.Root, files, f)
	}
	for _, f := range files {
		if err := f.check(r); err != nil {
			return nil, fmt.Errorf("installing keys of the user %s: %w", f.names(), err)
		}
	}
	return files, nil
}

// merge adds a file, to the users of one that is the same.
func merge(root *rootfs.Root, files []*keyFile, f *keyFile) []*keyFile {
	for _, other := range files {
		if realFile(root, other.path) == realFile(root, f.path) {
			other.users = append(other.users, f.users...)
			return files
		}
	}
	return append(files, f)
}

// realFile resolves the directory of a file as far as it exists.
func realFile(root *rootfs.Root, p string) string {
	if real, err := root.RealPath(path.Dir(p)); err == nil {
		return path.Join(real, path.Base(p))
	}
	if dir := path.Dir(p); dir != p {
		return path.Join(realFile(root, dir), path.Base(p))
	}
	return p
}

// keyFileOf returns the file that a pattern of AuthorizedKeysFile means for u.
func keyFileOf(u rootfs.User, pattern string) (*keyFile, error) {
	home := path.Clean(u.Home)
	if !path.IsAbs(home) {
		return nil, fmt.Errorf("its home directory %q is not an absolute path", u.Home)
	}
	file, err := expandTokens(pattern, u, home)
	if err != nil {
		return nil, err
	}
	f := &keyFile{users: []rootfs.User{u}}
	relative := !path.IsAbs(file)
	if relative {
		file = home + "/" + file
	}
	f.path = path.Clean(file)
	// Everything is below a home "/", but what the pattern does not put there is
	// the system's.
	inside := home != "/" || relative || strings.HasPrefix(pattern, "%h")
	if inside && strings.HasPrefix(f.path, strings.TrimSuffix(home, "/")+"/") {
		f.home = home
	}
	return f, nil
}

// check makes sure that root may go there, that the file tells the users nothing
// they could not read, and that the server will read it.
func (f *keyFile) check(r *Run) error {
	uids := f.uids()
	var err error
	if f.home == "" {
		err = r.Root.Guard(f.path, uids...)
	} else {
		err = r.Root.GuardBelow(f.home, strings.TrimPrefix(f.path, f.home), uids...)
	}
	if _, unsafe := errors.AsType[*rootfs.UnsafeError](err); unsafe {
		return &Remedied{err, "put a directory or file of the user's in its place, or leave the user out of USERS"}
	}
	if err != nil {
		return err
	}
	f.checkDirs(r)
	st, err := r.Root.Stat(f.path)
	if rootfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		_, err := r.Root.ReadFile(f.path, 0) // says what it is
		return err
	}
	return f.checkReaders(r, rootfs.OwnerOf(st))
}

// checkReaders refuses a file in a home that its users cannot read: the copy
// would tell what is in it. A file that some of them can read stays as it is.
func (f *keyFile) checkReaders(r *Run, owner int) error {
	var blind []string
	for _, u := range f.users {
		readable, err := r.Root.Readable(f.path, u.UID, u.GID)
		if err != nil {
			return err
		}
		if !readable {
			blind = append(blind, strconv.Quote(u.Name))
		}
	}
	if f.home != "" && len(blind) == len(f.users) {
		return &Remedied{
			Err:    fmt.Errorf("%s is a file that the user %s cannot read", f.path, f.names()),
			Remedy: "remove it, or give it to the user",
		}
	}
	// One account's file serves the others only when it becomes root's. In a home
	// that would show it to them.
	if f.home == "" {
		f.keep = !f.shared() || owner == 0
	} else {
		f.keep = len(blind) > 0
	}
	if f.keep && len(blind) > 0 {
		r.Warn("%s is not readable for the user %s: the SSH server ignores the keys in it", f.path, strings.Join(blind, ", "))
	}
	return nil
}

// checkDirs warns of the users for whom the server ignores a file in a home they
// share, because a directory on the way to it is another one's.
func (f *keyFile) checkDirs(r *Run) {
	if f.home == "" || !f.shared() {
		return
	}
	for dir := path.Dir(f.path); ; dir = path.Dir(dir) {
		if st, err := r.Root.Stat(dir); err == nil {
			for _, u := range f.users {
				owner := rootfs.OwnerOf(st)
				if owner != u.UID && (owner != 0 || st.Mode().Perm()&0o001 == 0) {
					r.Warn("%s is the home of several users, but %s is not the user's nor open to all: "+
						"the SSH server ignores the keys for the user %q", f.home, dir, u.Name)
				}
			}
		}
		if dir == f.home || dir == "/" {
			return
		}
	}
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

// write adds the keys to the file, each once.
func (f *keyFile) write(root *rootfs.Root, keys []string) error {
	system, dir := rootfs.Attr{Mode: 0o755}, rootfs.Attr{Mode: 0o755}
	file := rootfs.Attr{Mode: 0o644}
	if f.home != "" && !f.shared() {
		u := f.users[0]
		dir = rootfs.Attr{Mode: 0o700, UID: u.UID, GID: u.GID}
		file = rootfs.Attr{Mode: 0o600, UID: u.UID, GID: u.GID}
	}
	if f.home != "" {
		if _, err := root.MkdirAll(path.Dir(f.home), system); err != nil {
			return err
		}
	}
	if _, err := root.MkdirAll(path.Dir(f.path), dir); err != nil {
		return err
	}
	if f.keep {
		return root.Edit(f.path, func(old []byte) ([]byte, error) {
			return rootfs.AppendMissing(old, keys), nil
		})
	}
	old, err := root.ReadFile(f.path, rootfs.MaxConfig)
	if err != nil && !rootfs.IsNotExist(err) {
		return err
	}
	return root.WriteFile(f.path, rootfs.AppendMissing(old, keys), file)
}

// expandTokens replaces the tokens sshd_config(5) allows in AuthorizedKeysFile.
func expandTokens(pattern string, u rootfs.User, home string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		if i == len(pattern) {
			return "", errors.New("AuthorizedKeysFile ends in a single %")
		}
		switch pattern[i] {
		case 'h':
			b.WriteString(home)
		case 'u':
			b.WriteString(u.Name)
		case 'U':
			fmt.Fprintf(&b, "%d", u.UID)
		case '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("AuthorizedKeysFile holds the unknown token %%%c", pattern[i])
		}
	}
	return b.String(), nil
}
