package helper

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/command"
	"snf-image/internal/host/deb"
)

const (
	packageName = "snf-image-helper"
	// packageDir is where the package has the files of the helper image.
	packageDir = "usr/lib/snf-image-helper"
	// maxUnpacked bounds what is taken out of a package, in bytes.
	maxUnpacked = 512 << 20
)

// UnpackOptions says which package to unpack and where.
type UnpackOptions struct {
	Dir     string // HELPER_DIR, made if it is missing
	Package string // path of the Debian package snf-image-helper
	Release string // release version of the host command
	// AnyRelease forgives a package of another release with the same protocol.
	AnyRelease bool
	// Agree asks whether to go on when there is something to do; nil goes on.
	Agree func() bool
	Log   *slog.Logger
}

// ErrDeclined means that Agree was not given.
var ErrDeclined = errors.New("the answer was no")

// Unpack puts the helper image that a snf-image-helper package carries into
// opts.Dir. Nothing is downloaded and nothing from the package is run. Only
// files that the package's manifest names and vouches for are written, under
// the names it has for them; whatever was there stays in force until they all
// are complete. Nothing at all is written when the same image is there, intact.
func Unpack(ctx context.Context, opts UnpackOptions) (*Manifest, error) {
	version, err := packageVersion(ctx, opts)
	if err != nil {
		return nil, Failure("reading the helper package", opts.Package, err, opts.packageRemedy())
	}
	carried, err := readPackage(ctx, opts.Package)
	if err != nil {
		return nil, Failure("unpacking the helper package", opts.Package, err, opts.packageRemedy())
	}
	m, err := carried.manifest(opts)
	switch {
	case err != nil:
		return nil, Failure("unpacking the helper package", opts.Package, err, opts.packageRemedy())
	case carried.current(opts.Dir, m):
		opts.Log.Info("the helper image is current", "dir", opts.Dir, "package", version, "kernel", m.Kernel)
		return m, nil
	case opts.Agree != nil && !opts.Agree():
		return nil, ErrDeclined
	}
	store, err := OpenStore(opts.Dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := carried.publish(ctx, store, m); err != nil {
		return nil, Failure("unpacking the helper package", opts.Package, err, opts.packageRemedy())
	}
	opts.Log.Info("made the helper image", "dir", opts.Dir, "package", version, "kernel", m.Kernel)
	return m, nil
}

func (o UnpackOptions) packageRemedy() string {
	return "put the whole package " + packageName + " of release " + o.Release + " there"
}

// packageVersion returns the version of the package, which must be ours.
func packageVersion(ctx context.Context, opts UnpackOptions) (string, error) {
	switch st, err := os.Stat(opts.Package); {
	case err != nil:
		return "", errors.Unwrap(err) // without the path, which the failure has
	case !st.Mode().IsRegular():
		return "", errors.New("not a regular file")
	}
	out, err := command.Run(ctx, command.Cmd{
		Args: []string{"dpkg-deb", "--showformat=${Package} ${Version}", "--show", opts.Package}, Log: opts.Log,
	})
	if err != nil {
		return "", fmt.Errorf("not a Debian package, or damaged: %w", err)
	}
	name, version, _ := strings.Cut(string(out), " ")
	if name != packageName {
		return "", fmt.Errorf("the package is called %q, not %s", name, packageName)
	}
	return version, nil
}

// current reports whether the package's helper image, with manifest m, is in dir as it
// is.
func (c carried) current(dir string, m *Manifest) bool {
	there, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil || !bytes.Equal(there, c[manifestName]) {
		return false
	}
	return !slices.ContainsFunc(m.files(), func(f File) bool { return f.verify(dir) != nil })
}

// publish checks what the package holds and puts it into force.
func (c carried) publish(ctx context.Context, s *Store, m *Manifest) (err error) {
	files := map[string][]byte{}
	for _, f := range m.files() {
		if files[f.Name], err = c.file(f); err != nil {
			return err
		}
	}
	temp, err := s.Temp()
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.Publish(temp, m, files)
}

// carried is what a package has in packageDir, by name.
type carried map[string][]byte

func readPackage(ctx context.Context, file string) (carried, error) {
	c, room := carried{}, int64(maxUnpacked)
	err := deb.Walk(ctx, file, func(h *tar.Header, r io.Reader) error {
		dir, name := path.Split(h.Name)
		if path.Clean(dir) != packageDir {
			return nil
		}
		if h.Typeflag != tar.TypeReg {
			return errors.New("not a regular file")
		}
		if room -= h.Size; room < 0 {
			return fmt.Errorf("more than %d MiB to unpack", maxUnpacked>>20)
		}
		data, err := io.ReadAll(r)
		c[name] = data
		return err
	})
	return c, err
}

// manifest returns the manifest of the package if it is for this release.
func (c carried) manifest(opts UnpackOptions) (*Manifest, error) {
	text, ok := c[manifestName]
	if !ok {
		return nil, fmt.Errorf("the package has no %s/%s", packageDir, manifestName)
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, err
	}
	err = m.fits(OpenOptions{Release: opts.Release})
	if errors.Is(err, errRelease) && opts.AnyRelease {
		opts.Log.Warn(err.Error())
		err = nil
	}
	return m, err
}

// file returns the file that the manifest describes as want.
func (c carried) file(want File) ([]byte, error) {
	data, ok := c[want.Name]
	switch {
	case !ok:
		return nil, fmt.Errorf("the package has no %s", want.Name)
	case int64(len(data)) != want.Size:
		return nil, fmt.Errorf("%s: %w", want.Name, errSize)
	case DigestOf(data) != want.Digest:
		return nil, fmt.Errorf("%s: %w", want.Name, errDigest)
	}
	return data, nil
}
