package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"snf-image/internal/host/imageref"
	"snf-image/internal/report"
)

// Remove removes the image with exactly that name from the store, and returns where it was.
// What is not a regular file, or reached by a link, stays.
func (s Store) Remove(name string) (string, error) {
	ref := imageref.Ref{Kind: imageref.Stored, Name: name}
	_, err := ref.InStore()
	if clean := filepath.Clean("/" + name); err == nil && clean != name && clean != "/"+name {
		err = errors.New("it is not the name of a file in IMAGE_DIR")
	}
	if err != nil {
		return "", refuseRemoval(name, err, "name a file in IMAGE_DIR")
	}
	path := s.path(name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", refuseRemoval(path, errors.New("neither an image of the catalogue that was pulled nor a file in IMAGE_DIR has that name"), `see "snf-image image list"`)
	case err != nil:
		return "", refuseRemoval(path, report.Bare(err), "")
	case !info.Mode().IsRegular():
		return "", refuseRemoval(path, errors.New("it is not a regular file"), "remove it yourself")
	}
	real, err := s.Where("local://"+name, "")
	if err != nil {
		return "", err
	}
	top, err := filepath.EvalSymlinks(s.Dir)
	if err == nil && real != filepath.Join(top, filepath.Clean("/"+name)) {
		err = errors.New("a link leads to it")
	}
	if err != nil {
		return "", refuseRemoval(path, err, "name the file itself")
	}
	if err := os.Remove(real); err != nil {
		return "", refuseRemoval(path, report.Bare(err), "")
	}
	return path, nil
}

func refuseRemoval(path string, cause error, remedy string) error {
	return &report.Failure{Kind: report.Image, What: "removing the image", On: path, Cause: cause, Remedy: remedy}
}
