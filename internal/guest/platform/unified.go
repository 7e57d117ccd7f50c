package platform

import (
	"cmp"
	"debug/pe"
	"encoding/binary"
	"io"
	"strings"

	"snf-image/internal/guest/rootfs"
)

// maxSections is what the loader of Windows takes, and more than a kernel has; maxSection bounds
// what is read of one, in bytes.
const (
	maxSections = 96
	maxSection  = 64 << 10
)

// unified returns the unified kernel images below a directory. By the Boot Loader Specification
// they stand among the entries of the other form, by what their copy of os-release says.
func unified(root *rootfs.Root, dir string) []entry {
	files, _ := root.Glob(dir + "/EFI/Linux/*.[eE][fF][iI]") // one that cannot be searched tells nothing
	var found []entry
	for _, p := range files[:min(len(files), maxEntries)] {
		f, err := root.OpenRegular(p)
		if err != nil {
			continue
		}
		sections := readSections(f)
		_ = f.Close()
		release, ok := sections[".osrel"]
		if !ok {
			continue
		}
		e := newEntry(p)
		e.options.text = strings.TrimRight(sections[".cmdline"], "\x00")
		e.sortKey = cmp.Or(assigned(release, "IMAGE_ID"), assigned(release, "ID"))
		e.version = cmp.Or(assigned(release, "IMAGE_VERSION"), assigned(release, "VERSION"), assigned(release, "VERSION_ID"), assigned(release, "BUILD_ID"))
		found = append(found, e)
	}
	return found
}

// assigned returns what a file in the form of os-release gives to a name.
func assigned(release, name string) string {
	for line := range strings.Lines(release) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.Trim(strings.TrimSpace(value), quotes)
		}
	}
	return ""
}

// peAt is where a program of Windows has the place of its header ("PE Format", section "MS-DOS
// Stub"), which begins with peMark.
const (
	peAt   = 0x3c
	peMark = "PE\x00\x00"
)

// readSections returns the two sections that an entry is made of, each the first one of its name:
// those of the profile that is started by itself. No more of the file is read than its headers and
// these: pe.NewFile unpacks tables first, which may be of any size.
func readSections(r io.ReaderAt) map[string]string {
	var start uint32
	var header struct {
		Mark [4]byte
		pe.FileHeader
	}
	if !structure(r, peAt, &start) || !structure(r, int64(start), &header) || string(header.Mark[:]) != peMark {
		return nil
	}
	found := map[string]string{}
	table := int64(start) + int64(binary.Size(header)) + int64(header.SizeOfOptionalHeader)
	for n := range min(int64(header.NumberOfSections), maxSections) {
		var h pe.SectionHeader32
		if !structure(r, table+n*int64(binary.Size(h)), &h) {
			break
		}
		name := strings.TrimRight(string(h.Name[:]), "\x00")
		if _, known := found[name]; known || name != ".osrel" && name != ".cmdline" {
			continue
		}
		data := make([]byte, min(h.VirtualSize, h.SizeOfRawData, maxSection))
		if _, err := r.ReadAt(data, int64(h.PointerToRawData)); err == nil {
			found[name] = string(data)
		}
	}
	return found
}

// structure reads a structure from a place of a file.
func structure(r io.ReaderAt, at int64, into any) bool {
	return binary.Read(io.NewSectionReader(r, at, int64(binary.Size(into))), binary.LittleEndian, into) == nil
}
