// Package foreign recognizes files that are taken for dumps of a disk by mistake: images in
// other formats, compressed files and archives, by their first bytes.
package foreign

import "bytes"

// File describes a file in another format that is given as a dump of a disk. As an error
// it is about an image; its texts end a sentence about the file.
type File struct {
	Name   string // with its article
	Remedy string // for an image
	// Ambiguous means that the file has the marks of two formats. Programs differ about
	// what such a file holds.
	Ambiguous bool
}

// Error is the cause of a refused image.
func (f *File) Error() string {
	if f.Ambiguous {
		return "it is both " + f.Name
	}
	return "it is " + f.Name + ", not a dump of a disk"
}

// HeaderSize is how many bytes at the beginning of a file Recognize needs.
const HeaderSize = 512

// Recognize returns what a file is that begins with header, nil when that may be a
// disk: boot code begins with none of these, nor does a file system or zeros.
func Recognize(header []byte) *File {
	const (
		convert = "convert it: qemu-img convert -O raw"
		name    = "name its format, or auto"
		look    = "give the format raw, or auto, which look inside; or decompress it first"
	)
	if toSkip(header) {
		return &File{"a zstd or LZ4 file that begins with a frame to skip", "decompress it first", false}
	}
	var found *File
	for _, f := range []struct {
		at           int
		magic        string
		name, remedy string
	}{
		{0, "QFI\xfb", "a qcow2 image", name},
		{0, "QED\x00", "a QED image", convert},
		{0, "KDMV", "a VMDK image", name},
		{0, "COWD", "a part of a VMDK image of ESX", convert},
		{0, "# Disk DescriptorFile", "the descriptor of a VMDK image in several files", convert},
		{0x40, "\x7f\x10\xda\xbe", "a VDI image", name},
		{0, "vhdxfile", "a VHDX image", name},
		{0, "conectix", "a VHD image", name},
		{0, "WithoutFreeSpace", "a Parallels image", convert},
		{0, "WithouFreSpacExt", "a Parallels image", convert},
		{0, "\x1f\x8b\x08", "a gzip file", look},
		{0, "\xfd7zXZ\x00", "an xz file", look},
		{0, "\x28\xb5\x2f\xfd", "a zstd file", look},
		{0, "BZh", "a bzip2 file", look},
		{0, "\x04\x22\x4d\x18", "an LZ4 file", look},
		{0, "\x02\x21\x4c\x18", "an LZ4 file of the old form", "decompress it first"},
		{0, "\x89LZO\x00\r\n\x1a\n", "an lzop file", "decompress it first"},
		{0, "PK\x03\x04", "a zip archive", "unpack it first"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
		{257, "ustar", "a tar archive", look},
	} {
		if len(header) >= f.at && bytes.HasPrefix(header[f.at:], []byte(f.magic)) {
			if found != nil && found.Name != f.name {
				return &File{found.Name + " and " + f.name, "look at where the image comes from", true}
			}
			found = &File{f.name, f.remedy, false}
		}
	}
	return found
}

// toSkip reports whether header is that of a skippable frame (RFC 8878, section 3.1.2),
// which both zstd and LZ4 have.
func toSkip(header []byte) bool {
	return len(header) >= 4 && header[0]&0xf0 == 0x50 && string(header[1:4]) == "\x2a\x4d\x18"
}
