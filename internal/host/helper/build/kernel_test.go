package build

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"strings"
	"testing"
)

// note returns one ELF note.
func note(name string, kind uint32, desc []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = append(append(b, name...), make([]byte, -len(name)&3)...)
	return append(append(b, desc...), make([]byte, -len(desc)&3)...)
}

func TestHasNote(t *testing.T) {
	t.Parallel()
	pvh := note("Xen\x00", noteTypePVH, []byte{1, 2, 3, 4, 5})
	for _, tc := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"alone", pvh, true},
		{"behind others", append(note("Linux\x00", 18, []byte{1}), pvh...), true},
		{"other type", note("Xen\x00", 5, nil), false},
		{"other owner", note("GNU\x00", 18, nil), false},
		{"cut off", pvh[:len(pvh)-4], false},
		{"sizes that overflow", bytes.Repeat([]byte{0xff}, 24), false},
		{"empty", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := hasNote(tc.in, "Xen\x00", noteTypePVH); got != tc.want {
				t.Errorf("hasNote(%x) = %v, want %v", tc.in, got, tc.want)
			}
		})
	}
}

func FuzzHasNote(f *testing.F) {
	f.Add(note("Xen\x00", noteTypePVH, []byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if hasNote(b, "Xen\x00", noteTypePVH) && !bytes.Contains(b, []byte("Xen\x00")) {
			t.Error("hasNote found a note that is not there")
		}
	})
}

// testKernel returns an ELF kernel with two segments, holes and zeros at their
// ends, and notes inside the first.
func testKernel(notes []byte) []byte {
	const first, second = 0x2000, 0x5000
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 3, Entry: 0x1000000,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	progs := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Off: first, Filesz: 0x1000, Memsz: 0x1000, Paddr: 0x1000000},
		{Type: uint32(elf.PT_LOAD), Off: second, Filesz: 0x2000, Memsz: 0x3000, Paddr: 0x2000000},
		{Type: uint32(elf.PT_NOTE), Off: first + 256, Filesz: uint64(len(notes)), Memsz: uint64(len(notes))},
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h)
	_ = binary.Write(&b, binary.LittleEndian, progs)
	out := append(b.Bytes(), make([]byte, 0x8000-b.Len())...)
	copy(out[first:], "code")
	copy(out[first+256:], notes)
	copy(out[second:], "data")
	return append(out, "relocations"...)
}

func TestRepack(t *testing.T) {
	t.Parallel()
	kernel := testKernel(note("Xen\x00", noteTypePVH, []byte{1, 2, 3, 4}))
	before, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		t.Fatal(err)
	}
	got, err := repack(kernel, before)
	if err != nil {
		t.Fatal(err)
	}
	after, err := elf.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPVH(after); err != nil {
		t.Error(err)
	}
	for i, p := range before.Progs {
		want, got := memory(t, p), memory(t, after.Progs[i])
		if !bytes.Equal(want, got) || p.Paddr != after.Progs[i].Paddr {
			t.Errorf("segment %d differs in memory", i)
		}
	}
	if len(got) != 3*4096 || after.Entry != before.Entry {
		t.Errorf("repack() gives %d bytes, entry %#x", len(got), after.Entry)
	}
}

// memory returns what a loader makes of p.
func memory(t *testing.T, p *elf.Prog) []byte {
	t.Helper()
	b, err := io.ReadAll(p.Open())
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, p.Memsz-p.Filesz)...)
}

func TestRepackRefuses(t *testing.T) {
	t.Parallel()
	notes := note("Xen\x00", noteTypePVH, nil)
	for _, tc := range []struct {
		name   string
		change func(kernel []byte)
		want   string
	}{
		{"segment beyond the end", func(k []byte) { binary.LittleEndian.PutUint64(k[64+32:], 1<<40) }, "reaches beyond its end"},
		{"notes nowhere", func(k []byte) { binary.LittleEndian.PutUint64(k[64+2*56+8:], 0x7000) }, "lies in none that is loaded"},
		{"other machine", func(k []byte) { k[18] = byte(elf.EM_AARCH64) }, "not for x86-64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			kernel := testKernel(notes)
			tc.change(kernel)
			f, err := elf.NewFile(bytes.NewReader(kernel))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := repack(kernel, f); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("repack() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCheckPVHRefuses(t *testing.T) {
	t.Parallel()
	f, err := elf.NewFile(bytes.NewReader(testKernel(note("Xen\x00", 1, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPVH(f); !errors.Is(err, errNoPVH) {
		t.Errorf("checkPVH() = %v, want %v", err, errNoPVH)
	}
}

func TestVmlinuxRefusesGarbage(t *testing.T) {
	t.Parallel()
	if _, err := vmlinux(make([]byte, 4096)); err == nil || !strings.Contains(err.Error(), "decompressing the kernel") {
		t.Errorf("vmlinux(zeros) = %v", err)
	}
}

func TestQuietlyRestoresTheLogger(t *testing.T) {
	before := log.Writer()
	var during io.Writer
	if err := quietly(func() error { during = log.Writer(); return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("quietly() = %v", err)
	}
	if during != io.Discard || log.Writer() != before {
		t.Error("quietly() does not silence and restore the standard logger")
	}
}
