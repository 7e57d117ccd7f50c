// Package deb reads Debian package files (deb(5)) through dpkg-deb. Nothing in a
// package is run and nothing is written; what a visitor gets is a stream that the
// visitor has to bound.
package deb

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"snf-image/internal/command"
)

// Walk calls visit for every entry of the file tree in the package file. The name in
// the header is that of a merged /usr, without a leading slash.
func Walk(ctx context.Context, file string, visit func(*tar.Header, io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := command.Run(ctx, command.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", file}, Stdout: w})
		w.CloseWithError(err) // nil means io.EOF
		done <- err
	}()
	err := walkTar(r, visit)
	r.CloseWithError(err) // a tool that still writes ends
	if toolErr := <-done; err == nil {
		err = toolErr
	}
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(file), err)
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
		h.Name = Merged(h.Name)
		if err := visit(h, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// MergedDirs are the directories that are links into a merged /usr.
var MergedDirs = []string{"bin", "sbin", "lib", "lib64"}

// Merged returns the place of name, as a package has it, with a merged /usr and
// without a leading slash.
func Merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	first, _, below := strings.Cut(name, "/")
	if below && slices.Contains(MergedDirs, first) {
		return "usr/" + name
	}
	return name
}
