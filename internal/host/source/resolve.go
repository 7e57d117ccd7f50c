package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/imageref"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Store is where images named without a path are kept (docs/reference.md,
// img_id).
type Store struct {
	Dir  string // IMAGE_DIR; may be a symbolic link itself
	Arch string // for the file names of the first releases
	// Never are directories below Dir whose files are not images: HELPER_DIR and
	// the cache.
	Never []string
}

// Open opens the image id and returns warnings about how it is named: NAME, then
// NAME.FORMAT, then NAME-ARCH.FORMAT. The file that is opened lies in the store, whoever may
// write there and whatever they do meanwhile: nothing is looked at by name and opened
// by name again. "null" is not an image and must not get here.
func (s Store) Open(id, format string) (*Image, []string, error) {
	ref, err := imageref.Parse(id)
	if err != nil {
		return nil, nil, refuse(id, err, remedyName)
	}
	return s.openRef(ref, format)
}

func (s Store) openRef(ref imageref.Ref, format string) (*Image, []string, error) {
	f, warnings, err := s.find(ref, format)
	if err != nil {
		return nil, warnings, err
	}
	img, err := inspect(f, f.Name())
	if err != nil {
		return nil, warnings, errors.Join(err, f.Close())
	}
	return img, warnings, nil
}

// Where returns where the file that id stands for is, be it an image or not. It may be
// another one when Open is called.
func (s Store) Where(id, format string) (string, error) {
	ref, err := imageref.Parse(id)
	if err != nil {
		return "", refuse(id, err, remedyName)
	}
	f, _, err := s.find(ref, format)
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// find opens the file that ref stands for. Its name is where it really is.
func (s Store) find(ref imageref.Ref, format string) (f *os.File, warnings []string, err error) {
	name, err := ref.InStore()
	if err != nil {
		return nil, nil, refuse(ref.Name, err, remedyName)
	}
	if format == string(spec.Auto) || format == "" { // the old names that end so are those of dumps
		format = string(spec.DiskDump)
	}
	fd, err := unix.Open(s.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, refuse(s.path(name), noStore(s.Dir), remedyMissing)
	}
	if err != nil {
		return nil, nil, refuse(s.Dir, err, "check IMAGE_DIR in the configuration")
	}
	dir := os.NewFile(uintptr(fd), s.Dir)
	defer dir.Close() //nolint:errcheck // only a place
	for i, candidate := range []string{name, name + "." + format, name + "-" + s.Arch + "." + format} {
		f, err := s.open(dir, strings.TrimPrefix(filepath.Clean("/"+candidate), "/"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && i > 0 {
			warnings = append(warnings, fmt.Sprintf("there is no file %s, %s is used", name, candidate))
		}
		return f, warnings, err
	}
	return nil, nil, refuse(s.path(name), fs.ErrNotExist, remedyMissing)
}

// noStore is an IMAGE_DIR that is not there, and so no file in it.
type noStore string

func (dir noStore) Error() string { return fmt.Sprintf("IMAGE_DIR, %s, does not exist", string(dir)) }

// Is makes it an error of fs.ErrNotExist.
func (dir noStore) Is(target error) bool { return target == fs.ErrNotExist }

// remedyMissing is for a name without a file in the store. The command line has looked in
// its current directory before.
const remedyMissing = "check img_id (--image), and whether the image has been copied to this node"

// path is how a file of the store is named in messages.
func (s Store) path(name string) string { return filepath.Join(s.Dir, filepath.Clean("/"+name)) }

// open opens a file below dir, which is the store; an error of fs.ErrNotExist when it
// is not there.
func (s Store) open(dir *os.File, name string) (*os.File, error) {
	f, err := beneath(dir, name)
	if errors.Is(err, unix.EXDEV) { // a link leads out, or is absolute
		f, err = s.absolute(dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(s.path(name), err)
	}
	if _, ok := errors.AsType[*report.Failure](err); ok {
		return nil, err
	}
	if err != nil {
		return nil, refuse(s.path(name), err, remedyOpen(err))
	}
	for _, never := range s.Never {
		if d, err := filepath.EvalSymlinks(never); err == nil && below(d, f.Name()) {
			return nil, errors.Join(refuse(s.path(name), fmt.Errorf("%s holds no images", never), "name another file"), f.Close())
		}
	}
	return f, nil
}

// absolute opens a file of the store whose name has an absolute link in it. That may
// lead back into the store. Where it leads is found out by name, but the file is opened
// beneath dir again.
func (s Store) absolute(dir *os.File, name string) (*os.File, error) {
	real, err := filepath.EvalSymlinks(s.path(name))
	if errors.Is(err, unix.EINVAL) { // a link that no longer is one
		return nil, refuse(s.path(name), errors.New("it was replaced while being opened"), "try again")
	}
	if err != nil {
		return nil, report.Bare(err)
	}
	if top, err := location(int(dir.Fd())); err == nil && below(top, real) {
		f, err := beneath(dir, strings.TrimPrefix(strings.TrimPrefix(real, top), "/"))
		if !errors.Is(err, unix.EXDEV) {
			return f, err
		}
	}
	return nil, refuse(s.path(name), fmt.Errorf("it leads out of IMAGE_DIR, to %s", real),
		"copy the image into IMAGE_DIR, set IMAGE_DIR to where it is, or bind-mount that directory below IMAGE_DIR")
}

// beneath opens a file without leaving dir (openat2(2)). Its name is where it really is.
// Opening never blocks.
func beneath(dir *os.File, name string) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(int(dir.Fd()), name, &how)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) && try < retries { // somebody renames on the way
			continue
		}
		if err != nil {
			return nil, err
		}
		at, err := location(fd)
		if err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		return os.NewFile(uintptr(fd), at), nil
	}
}

// retries bounds how often a name is resolved that somebody changes all the time.
const retries = 1000

// location returns where an opened file is (proc_pid_fd(5)).
func location(fd int) (string, error) {
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return at, report.Bare(err)
}

// missing distinguishes a link to nothing from an absent file. It is for the message
// alone.
func (s Store) missing(path string, err error) error {
	target, linkErr := os.Readlink(path)
	if linkErr != nil {
		return err
	}
	return refuse(path, fmt.Errorf("it is a link to %s, which is not there", target), "restore the file, or name another image")
}

// below reports whether path lies in dir; both are real.
func below(dir, path string) bool {
	return dir == "/" || strings.HasPrefix(path, dir+"/")
}
