package values

import (
	"strings"

	"snf-image/internal/spec"
)

// FormatInfo describes one image format.
type FormatInfo struct {
	Name    spec.Format
	Doc     string
	Missing bool // not in this version
}

// AllFormats returns the image formats in the order they are documented.
func AllFormats() []FormatInfo {
	return []FormatInfo{
		{spec.DiskDump, "dump of a whole disk", false},
		{spec.Raw, "another name of diskdump", false},
		{spec.ExtDump, "dump of one ext2, ext3 or ext4 file system", true},
		{spec.NTFSDump, "dump of one NTFS file system", true},
		{"qcow2", "QEMU copy-on-write image", true},
		{"vmdk", "VMware disk image", true},
		{"vhd", "Virtual PC disk image", true},
		{"vhdx", "Hyper-V disk image", true},
		{"vdi", "VirtualBox disk image", true},
		{"auto", "found out from the image", true},
	}
}

// LookupFormat finds a format by its name in any case.
func LookupFormat(name string) (FormatInfo, bool) {
	for _, f := range AllFormats() {
		if strings.EqualFold(string(f.Name), name) {
			return f, true
		}
	}
	return FormatInfo{}, false
}

// FormatNames lists the formats of this version.
func FormatNames() string {
	var names []string
	for _, f := range AllFormats() {
		if !f.Missing {
			names = append(names, string(f.Name))
		}
	}
	return strings.Join(names, ", ")
}
