package platform

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/rootfs"
	"snf-image/tests/require"
	"snf-image/tests/tree"
)

func TestHasCode(t *testing.T) {
	t.Parallel()
	sector := func(code string, mark ...byte) []byte {
		b := make([]byte, Sector)
		copy(b, code)
		copy(b[440:], "\x01\x02\x03\x04") // the number of the disk is not code
		copy(b[510:], mark)
		return b
	}
	for name, c := range map[string]struct {
		sector []byte
		want   bool
	}{
		"code": {sector("\xfa\x31", 0x55, 0xaa), true}, "table only": {sector("", 0x55, 0xaa), false},
		"no mark": {sector("\xfa\x31"), false}, "short": {sector("\xfa", 0x55, 0xaa)[:511], false}, "empty": {nil, false},
	} {
		if got := HasCode(c.sector); got != c.want {
			t.Errorf("%s: HasCode = %t", name, got)
		}
	}
}

// TestLostCore has GRUB's first sector with its core in places where it can be and where not.
func TestLostCore(t *testing.T) {
	t.Parallel()
	disk := make([]byte, 100*Sector)
	copy(disk[34*Sector:], "core")
	copy(disk[1*Sector:], "EFI PART")
	grub := func(core uint64) []byte {
		b := make([]byte, Sector)
		copy(b, grubJump)
		binary.LittleEndian.PutUint64(b[grubCoreAt:], core)
		b[510], b[511] = 0x55, 0xaa
		return b
	}
	other := grub(1)
	other[1] = 0x48 // that of GRUB 0.97
	for name, c := range map[string]struct {
		sector []byte
		gpt    bool
		want   string
	}{
		"partition": {grub(34), true, ""}, "on the table": {grub(1), true, "sector 1, where the partition table is"},
		"behind an MBR": {grub(1), false, ""}, "empty": {grub(35), true, "sector 35, where nothing is"},
		"far": {grub(100), true, "sector 100, where nothing is"}, "absurd": {grub(1 << 63), false, "which no disk has"},
		"none": {grub(0), false, "sector 0"}, "another": {other, true, ""}, "short": {grub(1)[:511], true, ""},
	} {
		if got := LostCore(bytes.NewReader(disk), c.sector, c.gpt); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: LostCore = %q, want %q", name, got, c.want)
		}
	}
}

// image makes a tree of files.
func image(t testing.TB, files map[string]string) *rootfs.Root {
	t.Helper()
	root, err := rootfs.Open(tree.New(t, files).Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestLoaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"one":          {map[string]string{"EFI/BOOT/BOOTX64.EFI": "", "EFI/BOOT/grub.cfg": ""}, []string{"BOOTX64.EFI"}},
		"small":        {map[string]string{"efi/boot/bootaa64.efi": "", "efi/boot/bootx64.efi": ""}, []string{"BOOTAA64.EFI", "BOOTX64.EFI"}},
		"vendor alone": {map[string]string{"EFI/debian/shimx64.efi": ""}, nil},
		"a FIFO":       {map[string]string{"EFI/BOOT/BOOTX64.EFI": "FIFO"}, nil},
		"empty":        {map[string]string{"x": ""}, nil},
	} {
		got := Loaders(image(t, c.files))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: loaders (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{BIOS, UEFI}, Modes(true, []string{"BOOTX64.EFI"})); diff != "" || Modes(false, nil) != nil {
		t.Errorf("Modes (-want +got):\n%s", diff)
	}
}

// TestProcessor reads what the linker writes for each level, and takes the highest.
func TestProcessor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	object := filepath.Join(dir, "x.o")
	require.Run(t, ".globl x\nx: ret\n.section .note.GNU-stack,\"\",@progbits\n", "as", "-o", object)
	link := func(option string) string {
		out := filepath.Join(dir, "x.so")
		args := []string{"ld", "-shared", "-o", out, object}
		if option != "" {
			args = append(args, "-z", option)
		}
		require.Run(t, "", args...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	none, base, v2, v3, v4 := link(""), link("x86-64-baseline"), link("x86-64-v2"), link("x86-64-v3"), link("x86-64-v4")
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"baseline": {map[string]string{"lib64/ld-linux-x86-64.so.2": base, "sbin/init": none}, "x86-64"},
		"two":      {map[string]string{"lib64/ld-linux-x86-64.so.2": v2, "usr/lib/systemd/systemd": base}, "x86-64-v2"},
		"three":    {map[string]string{"lib64/ld-linux-x86-64.so.2": base, "lib64/libc.so.6": v3}, "x86-64-v3"},
		"four":     {map[string]string{"lib/x86_64-linux-gnu/libc.so.6": v4}, "x86-64-v4"},
		"none":     {map[string]string{"sbin/init": none}, ""},
		"a script": {map[string]string{"sbin/init": "#!/bin/sh\n"}, ""},
		"cut":      {map[string]string{"sbin/init": v3[:200]}, ""},
		"no files": {map[string]string{"x": ""}, ""},
	} {
		if got := Processor(image(t, c.files)); got != c.want {
			t.Errorf("%s: Processor = %q, want %q", name, got, c.want)
		}
	}
}

// TestPackedNames has a table of names of 300 MiB, packed in a few hundred KiB: it is not
// unpacked.
func TestPackedNames(t *testing.T) {
	t.Parallel()
	const size = 300 << 20
	var names, b bytes.Buffer
	w := zlib.NewWriter(&names)
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	put := func(data any) { _ = binary.Write(&b, binary.LittleEndian, data) }
	put(elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1}, Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64),
		Version: 1, Phoff: 64, Shoff: 64 + 56, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 2, Shstrndx: 1,
	})
	const contents = 64 + 56 + 2*64
	put(elf.Prog64{Type: gnuProperty, Off: contents, Filesz: 32})
	put(elf.Section64{})
	put(elf.Section64{Type: uint32(elf.SHT_STRTAB), Flags: uint64(elf.SHF_COMPRESSED), Off: contents + 32, Size: uint64(24 + names.Len())})
	put([]uint32{4, 16, noteProperty, 0x554e47, x86ISANeeded, 4, 1 << 1, 0}) // x86-64-v2
	put(elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: size})
	b.Write(names.Bytes())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := needed(bytes.NewReader(b.Bytes())); got != "x86-64-v2" {
		t.Errorf("needed = %q", got)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > size/2 {
		t.Errorf("%d MiB were allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

func FuzzNeeded(f *testing.F) {
	if b, err := os.ReadFile("/lib64/ld-linux-x86-64.so.2"); err == nil {
		f.Add(b[:4096])
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		needed(bytes.NewReader(b))
		levelOf(b)
	})
}
