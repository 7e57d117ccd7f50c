package platform

import (
	"bytes"
	"os"
	"path/filepath"
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

// image makes a tree of files.
func image(t *testing.T, files map[string]string) *rootfs.Root {
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
