package platform

import (
	"debug/pe"
	"encoding/binary"
	"io"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// maxSections is what the loader of Windows takes, and more than a kernel has; maxLine bounds the
// command line, in bytes, of which the kernel takes half of that.
const (
	maxSections = 96
	maxLine     = 4 << 10
)

// unified returns the command line in a unified kernel image, and whether a file is one.
func unified(root *rootfs.Root, p string) (line string, ok bool) {
	f, err := root.OpenRegular(p)
	if err != nil {
		return "", false
	}
	defer f.Close()
	return builtIn(f)
}

// peAt is where a program of Windows has the place of its header ("PE Format", section "MS-DOS
// Stub"), which begins with peMark.
const (
	peAt   = 0x3c
	peMark = "PE\x00\x00"
)

// builtIn returns the first section with a command line, which a kernel need not have: that of the
// profile that is started by itself. No more of the file is read than its headers and this: pe.NewFile unpacks tables first,
// which may be of any size.
func builtIn(r io.ReaderAt) (line string, ok bool) {
	var start uint32
	var header struct {
		Mark [4]byte
		pe.FileHeader
	}
	if !structure(r, peAt, &start) || !structure(r, int64(start), &header) || string(header.Mark[:]) != peMark {
		return "", false
	}
	table := int64(start) + int64(binary.Size(header)) + int64(header.SizeOfOptionalHeader)
	for n := range min(int64(header.NumberOfSections), maxSections) {
		var h pe.SectionHeader32
		if !structure(r, table+n*int64(binary.Size(h)), &h) {
			break
		}
		if strings.TrimRight(string(h.Name[:]), "\x00") != ".cmdline" {
			continue
		}
		data := make([]byte, min(h.VirtualSize, h.SizeOfRawData, maxLine))
		if _, err := r.ReadAt(data, int64(h.PointerToRawData)); err != nil {
			return "", false
		}
		return strings.TrimRight(string(data), "\x00"), true
	}
	return "", true
}

// structure reads a structure from a place of a file.
func structure(r io.ReaderAt, at int64, into any) bool {
	return binary.Read(io.NewSectionReader(r, at, int64(binary.Size(into))), binary.LittleEndian, into) == nil
}
