package values

import (
	"strings"

	"snf-image/internal/spec"
)

// FormatInfo describes one image format.
type FormatInfo struct {
	Name spec.Format
	Doc  string
}

// AllFormats returns the image formats in the order they are documented.
func AllFormats() []FormatInfo {
	return []FormatInfo{
		{spec.DiskDump, "dump of a whole disk"},
		{spec.Raw, "dump of a whole disk, also compressed or in a tar archive"},
		{spec.ExtDump, "dump of one ext2, ext3 or ext4 file system, also compressed or in a tar archive"},
		{spec.NTFSDump, "dump of one NTFS file system, also compressed or in a tar archive"},
		{spec.Qcow2, "QEMU copy-on-write image, also compressed or in a tar archive"},
		{spec.VMDK, "VMware disk image in one file, sparse or stream-optimized; also compressed or in a tar archive (OVA)"},
		{spec.VHD, "Virtual PC and Azure disk image, fixed or dynamic; also compressed or in a tar archive"},
		{spec.VHDX, "Hyper-V disk image, fixed or dynamic; also compressed or in a tar archive"},
		{spec.VDI, "VirtualBox disk image, static or dynamic; also compressed or in a tar archive"},
		{spec.Auto, "found out from the bytes of the image"},
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

// FormatNames lists the formats.
func FormatNames() string {
	var names []string
	for _, f := range AllFormats() {
		names = append(names, string(f.Name))
	}
	return strings.Join(names, ", ")
}
