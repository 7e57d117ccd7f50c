package build

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"snf-image/tests/require"
)

func TestNeededByAgreesWithReadelf(t *testing.T) {
	t.Parallel()
	readelf := require.Tool(t, "readelf")
	program := require.Tool(t, "sh")
	out, err := exec.CommandContext(t.Context(), readelf, "-dlW", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`\(NEEDED\).*\[(.*)\]|interpreter: .*/(.*)\]`).FindAllStringSubmatch(string(out), -1) {
		want = append(want, m[1]+m[2])
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	got, err := neededBy(node{mode: 0o100755, data: data})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("neededBy(%s) = %q, readelf says %q", program, got, want)
	}
}

func TestAddLibraries(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(require.Tool(t, "sh"))
	if err != nil {
		t.Fatal(err)
	}
	libc, linker := []byte("libc"), []byte("linker")
	for _, tc := range []struct {
		name    string
		pool    pool
		wantErr string
	}{
		{"all there", pool{files: map[string][]byte{"libc.so.6": libc, "ld-linux-x86-64.so.2": linker}}, ""},
		{"through a link", pool{
			files: map[string][]byte{"libc-2.so": libc, "ld-linux-x86-64.so.2": linker},
			links: map[string]string{"libc.so.6": "libc-2.so"},
		}, ""},
		{
			"library missing",
			pool{files: map[string][]byte{"ld-linux-x86-64.so.2": linker}},
			"library libc.so.6, needed by usr/bin/sh, is in no package",
		},
		{
			"linker missing",
			pool{files: map[string][]byte{"libc.so.6": libc}},
			"library ld-linux-x86-64.so.2, needed by usr/bin/sh, is in no package",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tree := tree{}
			tree.file("/bin/sh", 0o755, program)
			err := addLibraries(tree, &tc.pool)
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Fatalf("addLibraries() = %v, want %s", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tree[libraryDir+"/libc.so.6"].data; !bytes.Equal(got, libc) {
				t.Errorf("libc.so.6 holds %q", got)
			}
		})
	}
}

// testELF returns an ELF file of that type with the section .modinfo.
func testELF(kind elf.Type, modinfo string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	h := elf.Header64{
		Type: uint16(kind), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64,
		Phentsize: 56, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	h.Shoff = 64
	start := uint64(64 + 3*64)
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: start, Size: uint64(len(modinfo))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: start + uint64(len(modinfo)), Size: uint64(len(names))},
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h)
	_ = binary.Write(&b, binary.LittleEndian, sections)
	b.WriteString(modinfo + names)
	return b.Bytes()
}

func testModule(name string, depends ...string) module {
	info := "license=GPL\x00depends=" + strings.Join(depends, ",") + "\x00name=" + name + "\x00"
	return module{path: "usr/lib/modules/1/" + name + ".ko", data: testELF(elf.ET_REL, info)}
}
