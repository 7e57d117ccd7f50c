package windows

import (
	"errors"
	"fmt"
	"io/fs"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
)

// readPlain reads a file of the image that counts, or is added to. Of one that NTFS keeps in a
// way that is read by Windows alone it says so: encrypted, or behind a reparse point, such as
// a link that leads to another volume. Compression does not matter.
func readPlain(root *rootfs.Root, p string, limit int64) ([]byte, error) {
	data, err := root.ReadFile(p, limit)
	switch {
	case errors.Is(err, fs.ErrPermission): // that of anything else we have
		return nil, outcome.Advise(fmt.Errorf("%s is encrypted, which only that Windows can undo: %w", shown(p), err), "in that Windows run cipher /d on it, or remove it")
	case errors.Is(err, rootfs.ErrNotRegular), rootfs.IsNotExist(err) && root.Has(p):
		return nil, outcome.Advise(fmt.Errorf("%s is not a plain file: a directory, or a reparse point that cannot be followed here: %w", shown(p), err), "replace it by a plain file in that Windows, or remove it")
	}
	return data, err
}

// completable returns what keeps a file from being added to, nil where it is missing.
func completable(root *rootfs.Root, p string) error {
	if !root.Has(p) {
		return nil
	}
	_, err := readPlain(root, p, rootfs.MaxConfig)
	return err
}
