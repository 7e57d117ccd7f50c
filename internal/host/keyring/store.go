package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/ownership"
)

// Errors of changes to the keyring.
var (
	ErrKnown    = errors.New("the keyring has this key")
	ErrUnknown  = errors.New("the keyring has no such key")
	ErrTogether = errors.New("its file holds other keys too")
	ErrName     = errors.New("a name has letters, digits, dots, hyphens and underscores, and begins with a letter or digit")
)

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Add puts the keys of a file into the keyring dir, under name or under the file's own name.
// It makes dir where it does not exist. Nothing is replaced.
func Add(dir, file, name string) ([]Key, error) {
	base := filepath.Base(file)
	if name == "" {
		name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	if !goodName.MatchString(name) {
		return nil, fmt.Errorf("%w: %.64q", ErrName, name)
	}
	data, keys, err := load(file)
	if err != nil {
		return nil, err
	}
	present, err := Load(dir)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if i := slices.IndexFunc(present.list, func(p Key) bool { return p.Fingerprint == k.Fingerprint }); i >= 0 {
			return nil, fmt.Errorf("%w: %s, in %s", ErrKnown, k.Fingerprint, present.list[i].File)
		}
	}
	target := filepath.Join(dir, name+".asc")
	if keys[0].mini != nil {
		target = filepath.Join(dir, name+".pub")
	}
	if err := ownership.MakeDir(dir, 0o755); err != nil { // else its keys would not count, nor any other
		return nil, fmt.Errorf("making the keyring: %w", err)
	}
	if err := writeNew(target, data); err != nil {
		return nil, err
	}
	return Parse(target, data)
}

// writeNew makes a file with its whole content, or not at all.
func writeNew(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("writing to the keyring: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	}
	if err == nil {
		return nil
	}
	_ = os.Remove(f.Name())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing %s: %w", path, fs.ErrExist)
	}
	return fmt.Errorf("writing %s: %w", path, err)
}

// Remove takes a key out of the keyring dir, by its fingerprint or the name of its file, which
// need not be readable. With a fingerprint, a file that holds other keys too is left alone.
func Remove(dir, key string) ([]Key, error) {
	fingerprint := strings.ToUpper(strings.ReplaceAll(key, " ", ""))
	is := func(k Key) bool { return k.Fingerprint == fingerprint }
	var gone []Key
	for _, f := range Examine(dir) {
		base := filepath.Base(f.Path)
		named := base == key || strings.TrimSuffix(base, filepath.Ext(base)) == key
		switch {
		case f.Path == dir:
			return nil, &FileError{dir, f.Err}
		case named && f.Err != nil:
			gone = append(gone, Key{File: f.Path})
		case named:
			gone = append(gone, f.Keys...)
		case slices.ContainsFunc(f.Keys, is) && slices.ContainsFunc(f.Keys, func(k Key) bool { return !is(k) }):
			return nil, fmt.Errorf("%w: %s; name the file to remove them all", ErrTogether, f.Path)
		case slices.ContainsFunc(f.Keys, is):
			gone = append(gone, f.Keys[0])
		}
	}
	if len(gone) == 0 {
		return nil, fmt.Errorf("%w: %.80q", ErrUnknown, key)
	}
	for _, k := range gone {
		if err := os.Remove(k.File); err != nil && !errors.Is(err, fs.ErrNotExist) { // of two keys in one file
			return nil, fmt.Errorf("removing a key: %w", err)
		}
	}
	return gone, nil
}
