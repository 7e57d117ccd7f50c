package spec

import "strings"

// FormatInfo describes one image format.
type FormatInfo struct {
	Name    Format
	Doc     string
	Missing bool // not in this version
}

// AllFormats returns the image formats in the order they are documented.
func AllFormats() []FormatInfo {
	return []FormatInfo{
		{DiskDump, "dump of a whole disk", false},
		{Raw, "another name of diskdump", false},
		{ExtDump, "dump of one ext2, ext3 or ext4 file system", true},
		{NTFSDump, "dump of one NTFS file system", true},
		{"qcow2", "QEMU copy-on-write image", true},
		{"vmdk", "VMware disk image", true},
		{"vhd", "Virtual PC disk image", true},
		{"vhdx", "Hyper-V disk image", true},
		{"vdi", "VirtualBox disk image", true},
		{"auto", "found out from the image", true},
	}
}

// lookupFormat finds a format by its name in any case.
func lookupFormat(name string) (FormatInfo, bool) {
	for _, f := range AllFormats() {
		if strings.EqualFold(string(f.Name), name) {
			return f, true
		}
	}
	return FormatInfo{}, false
}

// formatNames lists the formats of this version.
func formatNames() string {
	var names []string
	for _, f := range AllFormats() {
		if !f.Missing {
			names = append(names, string(f.Name))
		}
	}
	return strings.Join(names, ", ")
}
