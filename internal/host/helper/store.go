package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/ownership"
	"snf-image/internal/report"
)

// Store is HELPER_DIR while a build holds its lock.
type Store struct {
	dir  string
	lock *os.File
}

const tempPrefix = ".build-"

// OpenStore makes dir if it is missing and locks it. Only one build at a time
// may work there.
func OpenStore(dir string) (*Store, error) {
	if err := ownership.MakeDir(dir, 0o755); errors.Is(err, ownership.ErrOthers) {
		return nil, Failure("making the directory of the helper image", dir, err, ownership.Remedy)
	} else if err != nil {
		return nil, Failure("making the directory of the helper image", dir, err, "")
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, Failure("opening the directory of the helper image", dir, err, "")
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errors.New("another build is at work there")
		}
		return nil, Failure("locking the directory of the helper image", dir, err, "wait for the other build to end")
	}
	return &Store{dir: dir, lock: lock}, nil
}

// Close gives up the lock, also that of a child which is being started at this
// moment and still has the descriptor.
func (s *Store) Close() {
	_ = unix.Flock(int(s.lock.Fd()), unix.LOCK_UN)
	s.lock.Close()
}

// Temp returns a new private directory on the same file system, and removes
// what builds that were killed left behind.
func (s *Store) Temp() (string, error) {
	s.remove(func(name string) bool { return strings.HasPrefix(name, tempPrefix) })
	temp, err := os.MkdirTemp(s.dir, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	return filepath.Abs(temp)
}

// Publish writes files and the manifest below temp, moves them into place, the
// manifest last, and removes the files of the manifest before.
func (s *Store) Publish(temp string, m *Manifest, files map[string][]byte) error {
	text, err := m.encode()
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	for name, content := range files {
		if err := s.put(temp, name, content); err != nil {
			return err
		}
	}
	if err := s.put(temp, manifestName, text); err != nil {
		return err
	}
	s.remove(func(name string) bool { return nameForm.MatchString(name) && files[name] == nil })
	return nil
}

// put writes one file durably and atomically.
func (s *Store) put(temp, name string, content []byte) error {
	f, err := os.OpenFile(filepath.Join(temp, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return fmt.Errorf("putting %s into place: %w", name, err)
	}
	return s.lock.Sync() // the directory
}

// remove removes the entries of the directory that match, as far as it can:
// what stays takes room, but no one looks at it.
func (s *Store) remove(match func(name string) bool) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if match(e.Name()) {
			_ = os.RemoveAll(filepath.Join(s.dir, e.Name()))
		}
	}
}

// Failure returns a report.Failure about the helper image.
func Failure(what, on string, cause error, remedy string) error {
	if _, ok := errors.AsType[*report.Failure](cause); ok {
		return cause
	}
	return &report.Failure{Kind: report.HelperImage, What: what, On: on, Cause: cause, Remedy: remedy}
}
