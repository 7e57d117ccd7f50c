package collection

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/catalogue"
	"snf-image/internal/host/shellfile"
	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

// Folder is the directory below IMAGE_DIR that is a Collection's.
const Folder = "catalogue"

// Collection is where images of the catalogue lie.
type Collection struct{ dir string }

// In returns the collection of an IMAGE_DIR.
func In(imageDir string) Collection { return Collection{filepath.Join(imageDir, Folder)} }

// Held is an image that is pinned here.
type Held struct {
	Pin
	Dir string
	// Image is the path of its file; empty where only the pin is here.
	Image string
}

// Given is the digest that the pin gives. Who requires a proof has none in it if the pin was
// made without one.
func (h *Held) Given(e *catalogue.Entry, demand trust.Demand) trust.Digest {
	d := h.sum("the pin " + filepath.Join(h.Dir, pinName(h.Name)))
	if demand == trust.Required {
		d.Doubt = h.Doubt(e)
	}
	return d
}

// InStore returns how img_id names the file of the image.
func (h *Held) InStore() string { return Folder + "/" + h.Name + "/" + h.File }

// Get returns an image that is pinned. The error is fs.ErrNotExist where there is none.
func (c Collection) Get(name string) (*Held, error) {
	if !catalogue.IsName(name) {
		return nil, fs.ErrNotExist
	}
	dir := filepath.Join(c.dir, name)
	file := filepath.Join(dir, pinName(name))
	data, err := shellfile.Load(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			err = &report.Failure{Kind: report.Image, What: "reading the pin of the image", On: file, Cause: err, Remedy: shellfile.Remedy(err)}
		}
		return nil, err
	}
	p, err := ParsePin(data)
	if err == nil && p.Name != name {
		err = ErrPin
	}
	if err != nil {
		return nil, &report.Failure{Kind: report.Image, What: "reading the pin of the image", On: file, Cause: err, Remedy: `remove it with "snf-image image rm", and pull the image again`}
	}
	h := &Held{Pin: p, Dir: dir, Image: filepath.Join(dir, p.File)}
	if info, err := os.Lstat(h.Image); err != nil || !info.Mode().IsRegular() {
		h.Image = ""
	}
	return h, nil
}

// present is Get where there may be none.
func (c Collection) present(name string) (*Held, error) {
	h, err := c.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	return h, err
}

// is reports whether the image is here, and not only its pin.
func (h *Held) is() bool { return h != nil && h.Image != "" }

// Names returns the names of what is pinned here, readable or not.
func (c Collection) Names() ([]string, error) {
	list, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, d := range list {
		if catalogue.IsName(d.Name()) && d.IsDir() {
			names = append(names, d.Name())
		}
	}
	return names, report.Bare(err)
}

// ErrBusy means that somebody else changes the collection.
var ErrBusy = errors.New("another image is being pulled, imported or removed")

// lockName is the file that is locked. It stays: on NFS a directory cannot be locked.
const lockName = ".lock"

// lock keeps others from changing the collection, until unlock or the end of the process.
func (c Collection) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(c.dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, report.Bare(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlock lets others. Closing is not enough: a child that is being started has the file, too.
func unlock(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}

// leftovers are what a change that was killed left behind: they begin with a dot.
const (
	fresh = ".new-"
	stale = ".old-"
)

// clean removes what was left behind, under the lock. Where a directory had been taken away
// and its successor was not yet there, it comes back.
func (c Collection) clean() error {
	list, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		at := filepath.Join(c.dir, d.Name())
		if name, ok := strings.CutPrefix(d.Name(), stale); ok {
			if _, err := os.Lstat(filepath.Join(c.dir, name)); errors.Is(err, fs.ErrNotExist) {
				if err := os.Rename(at, filepath.Join(c.dir, name)); err != nil {
					return err
				}
				continue
			}
		} else if !strings.HasPrefix(d.Name(), fresh) {
			continue
		}
		if err := os.RemoveAll(at); err != nil {
			return err
		}
	}
	return nil
}
