package platform

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"

	"snf-image/tests/systems"
)

// TestUnified has unified kernel images among other entries, wherever their partition is mounted.
func TestUnified(t *testing.T) {
	t.Parallel()
	on, off := systems.UnifiedKernel(t, "root=x cloud-init=enabled\x00\x00"), systems.UnifiedKernel(t, "\"cloud-init=disabled quiet\" root=x")
	for title, c := range map[string]struct {
		files       map[string]string
		value, file string
	}{
		"one":             {map[string]string{"boot/EFI/Linux/a.efi": on}, "enabled", "/boot/EFI/Linux/a.efi"},
		"the newest":      {map[string]string{"efi/EFI/Linux/a-9.efi": on, "efi/EFI/Linux/a-10.EFI": off}, "disabled", "/efi/EFI/Linux/a-10.EFI"},
		"configured":      {map[string]string{"efi/EFI/Linux/a-9.efi": on, "efi/EFI/Linux/a-10.efi": off, "efi/loader/loader.conf": "default a-9.*\n"}, "enabled", "/efi/EFI/Linux/a-9.efi"},
		"without options": {map[string]string{"efi/EFI/Linux/a-9.efi": on, "efi/EFI/Linux/a-10.efi": strings.Replace(on, ".cmdline", ".other\x00\x00", 1)}, "", ""},
		"without ours":    {map[string]string{"efi/EFI/Linux/a-9.efi": on, "efi/EFI/Linux/a-10.efi": systems.UnifiedKernel(t, "root=x")}, "", ""},
		"newer entry":     {map[string]string{"boot/efi/EFI/Linux/a-9.efi": on, "boot/loader/entries/a-10.conf": "linux /v\noptions cloud-init=disabled\n"}, "disabled", "/boot/loader/entries/a-10.conf"},
		"not a kernel":    {map[string]string{"efi/EFI/Linux/z.efi": on, "efi/EFI/Linux/zz.efi": "MZ", "efi/EFI/Linux/zzz.efi": "DIR", "efi/EFI/Linux/zzzz.efi": strings.Replace(off, "PE\x00", "NE\x00", 1)}, "enabled", "/efi/EFI/Linux/z.efi"},
	} {
		if value, file := KernelOption(image(t, c.files), "cloud-init"); value != c.value || file != c.file {
			t.Errorf("%s: KernelOption = %q, %q, want %q, %q", title, value, file, c.value, c.file)
		}
	}
	esp := image(t, map[string]string{"EFI/Linux/z.efi": on, "loader/entries/a.conf": "title x\noptions cloud-init=disabled\n"})
	if value, file := ESPOption(esp, "cloud-init"); value != "enabled" || file != "/EFI/Linux/z.efi" {
		t.Errorf("ESPOption = %q, %q", value, file)
	}
	if value, file := ESPOption(image(t, nil), "cloud-init"); value != "" || file != "" {
		t.Errorf("ESPOption of nothing = %q, %q", value, file)
	}
}

// FuzzUnified holds what is read of a program against debug/pe, where that reads it.
func FuzzUnified(f *testing.F) {
	whole := []byte(systems.UnifiedKernel(f, "a=b"))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	start := binary.LittleEndian.Uint32(whole[peAt:])
	for _, at := range []uint32{peAt, start + 6, start + 20, start + 24 + 8, start + 24 + 16, start + 24 + 20} {
		evil := bytes.Clone(whole)
		copy(evil[at:], "\xff\xff\xff\xff")
		f.Add(evil)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		line, ok := builtIn(bytes.NewReader(data))
		if len(line) > maxLine || line != "" && !ok {
			t.Errorf("%v and a command line of %d bytes", ok, len(line))
		}
		if len(data) > 1<<20 {
			return
		}
		p, err := pe.NewFile(bytes.NewReader(data))
		if err != nil || p.Section(".cmdline") == nil {
			return
		}
		if want, err := p.Section(".cmdline").Data(); ok && err == nil && !strings.HasPrefix(string(want), line) {
			t.Errorf("the command line is %q, by debug/pe %q", line, want)
		}
	})
}
