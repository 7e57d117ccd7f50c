package build

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// segmentsAt is where the first segment goes, behind both headers; each begins
// on a page.
const segmentsAt = 4096

// repack returns the kernel with nothing in it that is not loaded: no holes
// that align segments to 2 MiB in the file, no zeros at the end of a segment
// (p_memsz says they are there), no section table, no relocations, which only
// the decompressor's KASLR uses. That is a third less to read, hash and copy at
// each boot. Addresses stay what they are.
func repack(kernel []byte, f *elf.File) ([]byte, error) {
	var h elf.Header64
	if err := binary.Read(bytes.NewReader(kernel), binary.LittleEndian, &h); err != nil {
		return nil, fmt.Errorf("reading the kernel's header: %w", err)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 {
		return nil, errors.New("the kernel is not for x86-64")
	}
	headers, body, err := pack(f, kernel)
	if err != nil {
		return nil, err
	}
	h.Phoff, h.Phnum, h.Phentsize = uint64(h.Ehsize), uint16(len(headers)), uint16(binary.Size(elf.Prog64{}))
	h.Shoff, h.Shnum, h.Shstrndx = 0, 0, 0
	var out bytes.Buffer
	if err := errors.Join(
		binary.Write(&out, binary.LittleEndian, h),
		binary.Write(&out, binary.LittleEndian, headers),
	); err != nil {
		return nil, err
	}
	if out.Len() > segmentsAt {
		return nil, errors.New("the kernel has too many segments")
	}
	out.Write(make([]byte, segmentsAt-out.Len()))
	out.Write(body)
	return out.Bytes(), nil
}

// pack places the loaded segments one after the other and points the notes to
// where the segment that holds them went.
func pack(f *elf.File, kernel []byte) ([]elf.Prog64, []byte, error) {
	var body []byte
	moved := make([]elf.Prog64, len(f.Progs))
	for i, p := range f.Progs {
		if p.Filesz > uint64(len(kernel)) || p.Off > uint64(len(kernel))-p.Filesz {
			return nil, nil, fmt.Errorf("segment %d of the kernel reaches beyond its end", i)
		}
		moved[i] = program(p.ProgHeader)
		if p.Type != elf.PT_LOAD {
			continue
		}
		data := bytes.TrimRight(kernel[p.Off:p.Off+p.Filesz], "\x00")
		moved[i].Off, moved[i].Filesz = segmentsAt+uint64(len(body)), uint64(len(data))
		body = append(body, data...)
		body = append(body, make([]byte, -len(body)&(segmentsAt-1))...)
	}
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			continue
		}
		off, ok := movedOffset(f, moved, p)
		if !ok {
			return nil, nil, fmt.Errorf("segment %d of the kernel (%v) lies in none that is loaded", i, p.Type)
		}
		moved[i].Off = off
	}
	return moved, body, nil
}

// movedOffset returns where the content of p went, as part of a loaded segment.
func movedOffset(f *elf.File, moved []elf.Prog64, p *elf.Prog) (uint64, bool) {
	for i, s := range f.Progs {
		into := p.Off - s.Off
		if s.Type == elf.PT_LOAD && p.Off >= s.Off && into+p.Filesz <= moved[i].Filesz {
			return moved[i].Off + into, true
		}
	}
	return 0, false
}

func program(h elf.ProgHeader) elf.Prog64 {
	return elf.Prog64{
		Type: uint32(h.Type), Flags: uint32(h.Flags), Off: h.Off, Vaddr: h.Vaddr,
		Paddr: h.Paddr, Filesz: h.Filesz, Memsz: h.Memsz, Align: h.Align,
	}
}
