package helper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"snf-image/internal/channel"
	"snf-image/internal/host/ownership"
)

// Remedy names the command that repairs a helper image, whatever is damaged:
// unpacking the helper package if it lies at pkg, which may be empty, else
// building.
func Remedy(pkg string) string {
	if st, err := os.Stat(pkg); err == nil && st.Mode().IsRegular() {
		return `run "snf-image-update-helper"`
	}
	return `run "snf-image helper build"`
}

// remedy is Remedy, unless the directory itself is what has to change.
func remedy(err error, pkg string) string {
	if errors.Is(err, ownership.ErrOthers) {
		return ownership.Remedy
	}
	return Remedy(pkg)
}

// OpenOptions says which helper image will do.
type OpenOptions struct {
	Release string // release version of the host command
	// AnyRelease forgives a helper image of another release with the same
	// protocol (VERSION_CHECK=no).
	AnyRelease bool
	// Package is where the helper package should lie (HELPER_PKG); if it does,
	// the remedy of a failure is to unpack it.
	Package string
}

// Image is a verified helper image. Kernel and Initramfs are sealed memory
// files: nobody can change what was hashed.
type Image struct {
	Manifest  *Manifest
	Kernel    *os.File
	Initramfs *os.File
	Warnings  []string
}

// Close releases the memory of the image.
func (i *Image) Close() error { return errors.Join(i.Kernel.Close(), i.Initramfs.Close()) }

// Unload releases the memory of the image and keeps the manifest. To be used, the
// image has to be opened again.
func (i *Image) Unload() error {
	err := i.Close()
	i.Kernel, i.Initramfs = nil, nil
	return err
}

// Open loads and verifies the helper image in dir. It refuses what is missing,
// damaged, or made for another version, with the remedy.
func Open(dir string, opts OpenOptions) (*Image, error) {
	image, err := open(dir, opts)
	if errors.Is(err, os.ErrNotExist) {
		// A build that ended between reading the manifest and opening the
		// files took them away; the new ones are complete.
		image, err = open(dir, opts)
	}
	if err != nil {
		return nil, Failure("opening the helper image", dir, err, remedy(err, opts.Package))
	}
	return image, nil
}

func open(dir string, opts OpenOptions) (*Image, error) {
	// The manifest vouches for the other files, so it has to be root's like the
	// directory.
	for _, path := range []string{dir, filepath.Join(dir, manifestName)} {
		if err := ownership.Check(path); err != nil {
			return nil, err
		}
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	image := &Image{Manifest: m}
	if err := m.fits(opts); errors.Is(err, errRelease) && opts.AnyRelease {
		image.Warnings = append(image.Warnings, err.Error())
	} else if err != nil {
		return nil, err
	}
	if err := image.load(dir); err != nil {
		return nil, err
	}
	return image, nil
}

// load loads both files at the same time; hashing is most of the work.
func (i *Image) load(dir string) error {
	var initramfsErr error
	var wg sync.WaitGroup
	wg.Go(func() { i.Initramfs, initramfsErr = loadSealed(dir, i.Manifest.Initramfs) })
	var kernelErr error
	i.Kernel, kernelErr = loadSealed(dir, i.Manifest.Vmlinux)
	wg.Wait()
	if err := errors.Join(kernelErr, initramfsErr); err != nil {
		i.Kernel.Close() // a nil *os.File only returns an error
		i.Initramfs.Close()
		return err
	}
	return nil
}

func loadSealed(dir string, f File) (*os.File, error) {
	memory, err := sealedCopy(filepath.Join(dir, f.Name), f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return memory, nil
}

var errRelease = errors.New("the helper image is of another release")

// fits compares the versions of m with ours.
func (m *Manifest) fits(opts OpenOptions) error {
	if m.Protocol != channel.Version {
		return fmt.Errorf("the helper image speaks version %d of the protocol, snf-image version %d", m.Protocol, channel.Version)
	}
	if m.Release != opts.Release {
		return fmt.Errorf("%w: %s, snf-image is %s", errRelease, m.Release, opts.Release)
	}
	return nil
}
