package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// File is one file of a keyring, or a directory of it that is refused.
type File struct {
	Path string
	Keys []Key
	Err  error // why its keys do not count
}

// FileError is what is wrong with a file of a keyring.
type FileError struct {
	File string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Examine reads the files in dirs: each NAME.asc, NAME.gpg, NAME.pgp, NAME.key or NAME.pub. A
// directory that does not exist holds none. Whoever can change a key decides what is proven,
// so what others than root may change does not count.
func Examine(dirs ...string) []File {
	var all []File
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = ownership.Check(dir)
		}
		if err != nil {
			all = append(all, File{Path: dir, Err: report.Bare(err)})
			continue
		}
		for _, e := range entries {
			if !isKeyFile(e.Name()) {
				continue
			}
			f := File{Path: filepath.Join(dir, e.Name())}
			if f.Err = ownership.Check(f.Path); f.Err == nil {
				f.Keys, f.Err = LoadFile(f.Path)
			}
			all = append(all, f)
		}
	}
	return all
}

// Load reads the keys in dirs, as Examine does. A file that does not count is an error, a
// *FileError, since a node that silently lost a key would silently prove less.
func Load(dirs ...string) (Keys, error) {
	var keys Keys
	for _, f := range Examine(dirs...) {
		if f.Err != nil {
			return Keys{}, &FileError{f.Path, f.Err}
		}
		keys.list = append(keys.list, f.Keys...)
	}
	return keys, nil
}

// Remedy says what to do about a file that does not count; empty where the error says it.
func Remedy(err error) string {
	switch {
	case errors.Is(err, ErrNoKey), errors.Is(err, ErrTooBig):
		return "give the file of a public key of OpenPGP or minisign; remove others from the keyring"
	case errors.Is(err, ownership.ErrOthers):
		return ownership.Remedy
	}
	return ""
}

// LoadFile reads the keys of one file.
func LoadFile(file string) ([]Key, error) {
	_, keys, err := load(file)
	return keys, err
}

// load returns a file of keys, and what is in it.
func load(file string) ([]byte, []Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, report.Bare(err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, nil, report.Bare(err)
	}
	keys, err := Parse(file, data)
	return data, keys, err
}

func isKeyFile(name string) bool {
	return slices.Contains([]string{".asc", ".gpg", ".pgp", ".key", ".pub"}, filepath.Ext(name)) && !strings.HasPrefix(name, ".")
}
