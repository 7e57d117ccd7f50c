package systems

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

// UnifiedKernel makes a unified kernel image of the section with its command line, and no kernel.
func UnifiedKernel(t testing.TB, options string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kernel")
	for name, text := range map[string]string{".s": ".text\nret\n", ".cmdline": options} {
		if err := os.WriteFile(file+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	require.Run(t, "", "as", "--64", "-o", file+".o", file+".s")
	args := strings.Fields("objcopy -O pei-x86-64 --add-section .cmdline=F.cmdline --change-section-vma .cmdline=0x30000 F.o F.efi")
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "F.", file+".")
	}
	require.Run(t, "", args...)
	data, err := os.ReadFile(file + ".efi")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
