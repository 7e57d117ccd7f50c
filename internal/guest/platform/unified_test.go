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
	const on, off = "root=x cloud-init=enabled\x00\x00", "\"cloud-init=disabled quiet\" root=x"
	kernel := func(release, options string) string { return systems.UnifiedKernel(t, release, options) }
	older, newer := kernel("ID=arch\nVERSION_ID=9\n", on), kernel("NAME=x\nID='arch'\nVERSION_ID=\"10\"\n", off)
	for title, c := range map[string]struct {
		files       map[string]string
		value, file string
	}{
		"one":             {map[string]string{"boot/EFI/Linux/a.efi": older}, "enabled", "/boot/EFI/Linux/a.efi"},
		"the newest":      {map[string]string{"efi/EFI/Linux/z.EFI": older, "efi/EFI/Linux/a.efi": newer}, "disabled", "/efi/EFI/Linux/a.efi"},
		"tried":           {map[string]string{"efi/EFI/Linux/z.efi": older, "efi/EFI/Linux/a+0-3.efi": newer}, "enabled", "/efi/EFI/Linux/z.efi"},
		"configured":      {map[string]string{"efi/EFI/Linux/z.efi": older, "efi/EFI/Linux/a.efi": newer, "efi/loader/loader.conf": "default z.*\n"}, "enabled", "/efi/EFI/Linux/z.efi"},
		"without options": {map[string]string{"efi/EFI/Linux/z.efi": older, "efi/EFI/Linux/a.efi": kernel("ID=arch\nIMAGE_VERSION=11\n", "root=x")}, "", ""},
		"an entry before": {map[string]string{"boot/efi/EFI/Linux/z.efi": older, "boot/loader/entries/a.conf": "sort-key ZZ\nlinux /v\noptions cloud-init=disabled\n"}, "disabled", "/boot/loader/entries/a.conf"},
		"not a kernel":    {map[string]string{"efi/EFI/Linux/z.efi": older, "efi/EFI/Linux/zz.efi": "MZ", "efi/EFI/Linux/zzz.efi": "DIR", "efi/EFI/Linux/zzzz.efi": strings.Replace(newer, "PE\x00", "NE\x00", 1)}, "enabled", "/efi/EFI/Linux/z.efi"},
	} {
		if value, file := KernelOption(opened(t, c.files), "cloud-init"); value != c.value || file != c.file {
			t.Errorf("%s: KernelOption = %q, %q, want %q, %q", title, value, file, c.value, c.file)
		}
	}
	esp := opened(t, map[string]string{"EFI/Linux/z.efi": older, "loader/entries/a.conf": "title x\noptions cloud-init=disabled\n"})
	if value, file := ESPOption(esp, "cloud-init"); value != "enabled" || file != "/EFI/Linux/z.efi" {
		t.Errorf("ESPOption = %q, %q", value, file)
	}
	if value, file := ESPOption(opened(t, nil), "cloud-init"); value != "" || file != "" {
		t.Errorf("ESPOption of nothing = %q, %q", value, file)
	}
}

// FuzzSections holds what is read of a program against debug/pe, where that reads it.
func FuzzSections(f *testing.F) {
	whole := []byte(systems.UnifiedKernel(f, "ID=x\n", "a=b"))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	start := binary.LittleEndian.Uint32(whole[peAt:])
	for _, at := range []uint32{peAt, start + 6, start + 20, start + 24 + 8, start + 24 + 16, start + 24 + 20} {
		evil := bytes.Clone(whole)
		copy(evil[at:], "\xff\xff\xff\xff")
		f.Add(evil)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found := readSections(bytes.NewReader(data))
		for name, text := range found {
			if len(text) > maxSection || name != ".osrel" && name != ".cmdline" {
				t.Errorf("section %q of %d bytes", name, len(text))
			}
		}
		if len(data) > 1<<20 {
			return
		}
		p, err := pe.NewFile(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, name := range []string{".osrel", ".cmdline"} {
			s := p.Section(name)
			if s == nil || s.Size > maxSection {
				continue
			}
			if want, err := s.Data(); err == nil && !strings.HasPrefix(string(want), found[name]) {
				t.Errorf("%s holds %q, by debug/pe %q", name, found[name], want)
			}
		}
	})
}
