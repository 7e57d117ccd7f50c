// Package foreign recognizes files that are taken for dumps of a disk by mistake: images in
// other formats, compressed files and archives, by their first bytes.
package foreign

import "bytes"

// File describes a file in another format that is given as a dump of a disk. As an error
// it is about an image; its texts end a sentence about the file.
type File struct {
	Name   string // with its article
	Remedy string // for an image
}

// Error is the cause of a refused image.
func (f *File) Error() string { return "it is " + f.Name + ", not a dump of a disk" }

// HeaderSize is how many bytes at the beginning of a file Recognize needs.
const HeaderSize = 512

// Recognize returns what a file is that begins with header, nil when that may be a
// disk: boot code begins with none of these, nor does a file system or zeros.
func Recognize(header []byte) *File {
	const convert, decompress = "convert it: qemu-img convert -O raw", "decompress it first"
	for _, f := range []struct {
		at           int
		magic        string
		name, remedy string
	}{
		{0, "QFI\xfb", "a qcow2 image", convert},
		{0, "QED\x00", "a QED image", convert},
		{0, "KDMV", "a VMDK image", convert},
		{0, "COWD", "a VMDK image", convert},
		{0, "# Disk DescriptorFile", "the descriptor of a VMDK image", convert},
		{0x40, "\x7f\x10\xda\xbe", "a VDI image", convert},
		{0, "vhdxfile", "a VHDX image", convert},
		{0, "conectix", "a VHD image", convert},
		{0, "WithoutFreeSpace", "a Parallels image", convert},
		{0, "WithouFreSpacExt", "a Parallels image", convert},
		{0, "\x1f\x8b\x08", "a gzip file", decompress},
		{0, "\xfd7zXZ\x00", "an xz file", decompress},
		{0, "\x28\xb5\x2f\xfd", "a zstd file", decompress},
		{0, "BZh", "a bzip2 file", decompress},
		{0, "\x04\x22\x4d\x18", "an LZ4 file", decompress},
		{0, "\x89LZO\x00\r\n\x1a\n", "an lzop file", decompress},
		{0, "PK\x03\x04", "a zip archive", "unpack it first"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
		{257, "ustar", "a tar archive", "unpack it first"},
	} {
		if len(header) >= f.at && bytes.HasPrefix(header[f.at:], []byte(f.magic)) {
			return &File{f.name, f.remedy}
		}
	}
	return nil
}
