package platform

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"math/bits"

	"snf-image/internal/guest/rootfs"
)

// Numbers of the note with the properties of a program (x86-64 psABI, "Program Property").
const (
	gnuProperty    = 0x6474e553 // type of a program header
	noteProperty   = 5          // type of a note called "GNU"
	x86ISANeeded   = 0xc0008002
	maxProperties  = 64 << 10
	maxProgramSize = 64 << 20
	maxSegments    = 1000 // a program has a dozen
)

// programs are files that each system runs: the loader and the library of C, and init.
func programs() []string {
	return []string{
		"/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6",
		"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init",
	}
}

// Processor returns the level of the processor that the programs in root need, such as
// x86-64-v2; "" where none of them tells.
func Processor(root *rootfs.Root) string {
	level := ""
	for _, p := range programs() {
		f, err := root.OpenRegular(p)
		if err != nil {
			continue
		}
		if st, err := f.Stat(); err == nil && st.Size() <= maxProgramSize {
			level = highest(level, needed(f))
		}
		_ = f.Close()
	}
	return level
}

// needed returns the level that a program needs, "" where it does not tell. No more of the
// file is read than its header, those of its segments, and the note: elf.NewFile unpacks a
// table of names first, which may be of any size.
func needed(r io.ReaderAt) string {
	var h elf.Header64
	if !readAt(r, 0, &h) || string(h.Ident[:4]) != elf.ELFMAG || elf.Machine(h.Machine) != elf.EM_X86_64 ||
		elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return ""
	}
	for n := range min(int64(h.Phnum), maxSegments) {
		var p elf.Prog64
		if !readAt(r, int64(h.Phoff)+n*int64(h.Phentsize), &p) || p.Type != gnuProperty || p.Filesz > maxProperties {
			continue
		}
		b := make([]byte, p.Filesz)
		if readAt(r, int64(p.Off), b) {
			return levelOf(b)
		}
	}
	return ""
}

// readAt reads a structure of a fixed size from a place of a file.
func readAt(r io.ReaderAt, at int64, data any) bool {
	if at < 0 || at > maxProgramSize {
		return false
	}
	return binary.Read(io.NewSectionReader(r, at, maxProgramSize), binary.LittleEndian, data) == nil
}

// levelOf reads the notes of a program.
func levelOf(b []byte) string {
	for len(b) >= 16 {
		name, size, kind := align(binary.LittleEndian.Uint32(b), 4), align(binary.LittleEndian.Uint32(b[4:]), 8), binary.LittleEndian.Uint32(b[8:])
		b = b[12:]
		if name+size > uint64(len(b)) {
			return ""
		}
		if kind == noteProperty && name == 4 && string(b[:4]) == "GNU\x00" {
			if level := levelIn(b[name : name+size]); level != "" {
				return level
			}
		}
		b = b[name+size:]
	}
	return ""
}

// levelIn reads the properties of one note.
func levelIn(b []byte) string {
	for len(b) >= 8 {
		kind, size := binary.LittleEndian.Uint32(b), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if size > uint64(len(b)) {
			return ""
		}
		if kind == x86ISANeeded && size >= 4 {
			// One bit for each level; the highest counts.
			n := bits.Len32(binary.LittleEndian.Uint32(b))
			if all := levels(); n >= 1 && n <= len(all) {
				return all[n-1]
			}
			return ""
		}
		b = b[min(align(uint32(size), 8), uint64(len(b))):]
	}
	return ""
}

func align(n uint32, to uint64) uint64 { return (uint64(n) + to - 1) / to * to }
