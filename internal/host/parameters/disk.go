package parameters

import (
	"io/fs"
	"os"
	"slices"

	"snf-image/internal/host/diskuri"
	"snf-image/internal/spec"
)

// Disk is the disk a flag names: a path, unless only a URI can be meant.
func Disk(text string) spec.Disk {
	if _, err := os.Lstat(text); err != nil && diskuri.Is(text) {
		return spec.Disk{URI: text}
	}
	return spec.Disk{Path: text}
}

// ByURI removes the path of disks that have a URI and whose path does not lead to a
// disk: they can be reached by the URI only.
func ByURI(disks []spec.Disk) []spec.Disk {
	disks = slices.Clone(disks)
	for i, d := range disks {
		if d.URI != "" && !isDisk(d.Path) {
			disks[i].Path = ""
		}
	}
	return disks
}

// isDisk reports whether path leads to a disk file or a block device.
func isDisk(path string) bool {
	st, err := os.Stat(path)
	return err == nil && (st.Mode().IsRegular() || st.Mode()&fs.ModeType == fs.ModeDevice)
}
