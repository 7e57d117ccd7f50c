package helper

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"snf-image/internal/command"
)

// deb is a Debian package file.
type deb struct {
	Package
	path string
}

// Package is one package the helper image was made of.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"sha256"` // of the package file
}

// findDebs returns the packages of that names among the files in dir, in the
// order of the names.
func findDebs(dir string, names []string) ([]deb, error) {
	var debs []deb
	for _, name := range names {
		found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("looking for package %s: apt left %d files of it", name, len(found))
		}
		d, err := newDeb(found[0])
		if err != nil {
			return nil, err
		}
		debs = append(debs, d)
	}
	return debs, nil
}

// newDeb reads name and version from the name apt gives the file,
// NAME_VERSION_ARCHITECTURE.deb with percent encoding.
func newDeb(file string) (deb, error) {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(file), ".deb"), "_")
	if len(parts) != 3 {
		return deb{}, fmt.Errorf("package file %s: not named NAME_VERSION_ARCHITECTURE.deb", file)
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return deb{}, fmt.Errorf("package file %s: %w", file, err)
	}
	digest, err := digestFile(file)
	if err != nil {
		return deb{}, err
	}
	return deb{Package{Name: parts[0], Version: version, Digest: digest}, file}, nil
}

// each calls visit for every entry of the package's file tree. The name in the
// header is that of a merged /usr, without a leading slash.
func (d deb) each(ctx context.Context, visit func(*tar.Header, io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := command.Run(ctx, command.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", d.path}, Stdout: w})
		w.CloseWithError(err) // nil means io.EOF
		done <- err
	}()
	err := walkTar(r, visit)
	r.CloseWithError(err) // a tool that still writes ends
	if toolErr := <-done; err == nil {
		err = toolErr
	}
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(d.path), err)
	}
	return nil
}

func walkTar(r io.Reader, visit func(*tar.Header, io.Reader) error) error {
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // padding
			return err
		}
		if err != nil {
			return err
		}
		h.Name = merged(h.Name)
		if err := visit(h, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// copyright returns the package whose licence text the entry is, or "".
func copyright(h *tar.Header) string {
	dir, base := path.Split(h.Name)
	if base != "copyright" || path.Dir(path.Clean(dir)) != "usr/share/doc" || h.Typeflag != tar.TypeReg {
		return ""
	}
	return path.Base(dir)
}

// permissions returns the permission bits of a packaged file without set-id
// bits: everything in the helper runs as root anyway.
func permissions(h *tar.Header) uint64 { return uint64(h.FileInfo().Mode() & fs.ModePerm) }

func digestFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
