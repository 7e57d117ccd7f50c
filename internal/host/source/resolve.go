package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Store is where images named without a path are kept (interface-details
// section 2).
type Store struct {
	Dir  string // IMAGE_DIR; may be a symbolic link itself
	Arch string // for the file names of the first releases
	// Never are directories below Dir whose files are no images: HELPER_DIR and
	// the cache.
	Never []string
}

// Local returns the name of the file that img_id stands for. It looks at the
// text alone. file:// is an old name of local://.
func Local(id string) (name string, err error) {
	name = strings.TrimPrefix(id, "local://")
	if name == id {
		name = strings.TrimPrefix(id, "file://")
	}
	switch {
	case strings.HasPrefix(id, "pithos:"), strings.HasPrefix(id, "pithosmap:"):
		err = errors.New("image stores of Pithos are not supported")
	case name == id && strings.Contains(name, ":"):
		err = errors.New("a name with a colon is neither a file in IMAGE_DIR nor a URL this program knows")
	case filepath.Clean("/"+name) == "/" || strings.ContainsRune(name, 0):
		err = errors.New("it names no file")
	}
	return name, err
}

// Resolve returns the real path of the image id and warnings about how it is
// named: NAME, then NAME.FORMAT, then NAME-ARCH.FORMAT. The path never leads out
// of the store. "null" is no image and must not get here.
func (s Store) Resolve(id, format string) (path string, warnings []string, err error) {
	name, err := Local(id)
	if err != nil {
		return "", nil, refuse(id, err, "set img_id to the name of a file in IMAGE_DIR, local://NAME or null")
	}
	for i, candidate := range []string{name, name + "." + format, name + "-" + s.Arch + "." + format} {
		path, err := s.find(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && i > 0 {
			warnings = append(warnings, fmt.Sprintf("there is no file %s, %s is used", name, candidate))
		}
		return path, warnings, err
	}
	return "", nil, refuse(filepath.Join(s.Dir, filepath.Clean("/"+name)), fs.ErrNotExist,
		"check img_id, and whether the image has been copied to this node")
}

// find returns where a file of the store really is; an error of fs.ErrNotExist
// when it is not there.
func (s Store) find(name string) (string, error) {
	path := filepath.Join(s.Dir, filepath.Clean("/"+name))
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", s.missing(path, err)
	}
	if err != nil {
		return "", refuse(path, bare(err), "")
	}
	dir, err := filepath.EvalSymlinks(s.Dir)
	if err != nil {
		return "", refuse(path, bare(err), "")
	}
	if !below(dir, real) {
		return "", refuse(path, fmt.Errorf("it leads out of IMAGE_DIR, to %s", real),
			"copy the image into IMAGE_DIR, set IMAGE_DIR to where it is, or bind-mount that directory below IMAGE_DIR")
	}
	for _, never := range s.Never {
		if d, err := filepath.EvalSymlinks(never); err == nil && below(d, real) {
			return "", refuse(path, fmt.Errorf("%s holds no images", never), "name another file")
		}
	}
	return real, nil
}

// missing tells a link to nothing, which would be a riddle, from no file at all.
func (s Store) missing(path string, err error) error {
	target, linkErr := os.Readlink(path)
	if linkErr != nil {
		return err
	}
	return refuse(path, fmt.Errorf("it is a link to %s, which is not there", target), "restore the file, or name another image")
}

// below says whether path lies in dir; both are real.
func below(dir, path string) bool {
	return dir == "/" || strings.HasPrefix(path, dir+"/")
}
