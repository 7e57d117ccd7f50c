package build

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"snf-image/internal/host/helper"
)

// packageFile is a Debian package file.
type packageFile struct {
	helper.Package
	path string
}

// findPackages returns the packages of that names among the files in dir, in the
// order of the names.
func findPackages(dir string, names []string) ([]packageFile, error) {
	var packages []packageFile
	for _, name := range names {
		found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("looking for package %s: apt left %d files of it", name, len(found))
		}
		d, err := newPackage(found[0])
		if err != nil {
			return nil, err
		}
		packages = append(packages, d)
	}
	return packages, nil
}

// newPackage reads name and version from the name apt gives the file,
// NAME_VERSION_ARCHITECTURE.deb with percent encoding.
func newPackage(file string) (packageFile, error) {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(file), ".deb"), "_")
	if len(parts) != 3 {
		return packageFile{}, fmt.Errorf("package file %s: not named NAME_VERSION_ARCHITECTURE.deb", file)
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return packageFile{}, fmt.Errorf("package file %s: %w", file, err)
	}
	digest, err := helper.DigestFile(file)
	if err != nil {
		return packageFile{}, err
	}
	return packageFile{helper.Package{Name: parts[0], Version: version, Digest: digest}, file}, nil
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
