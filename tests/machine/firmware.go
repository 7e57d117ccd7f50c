package machine

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Firmware is what starts a machine.
type Firmware string

// The firmwares.
const (
	SeaBIOS Firmware = "SeaBIOS"
	OVMF    Firmware = "OVMF"
)

// bootLimit is how long a firmware may take to decide; on an idle node with
// software emulation SeaBIOS needs 2 s and OVMF 20 s.
const bootLimit = 3 * time.Minute

// verdicts are what a firmware prints when it starts a boot loader from the
// disk and when it finds none. SeaBIOS says so on its debug port, which QEMU
// has at 0x402, OVMF on the serial console: there the first boot option is the
// disk and the built-in shell is what it falls back to.
var verdicts = map[Firmware]struct{ boots, nothing *regexp.Regexp }{
	SeaBIOS: {
		boots:   regexp.MustCompile(`Booting from 0000:7c00`),
		nothing: regexp.MustCompile(`No bootable device`),
	},
	OVMF: {
		boots:   regexp.MustCompile(`BdsDxe: starting Boot\d+ "UEFI (Misc Device|[^"]*HARDDISK)`),
		nothing: regexp.MustCompile(`BdsDxe: starting Boot\d+ "EFI Internal Shell"|BdsDxe: No bootable option`),
	},
}

// Bootable reports whether a firmware starts anything from disk. It fails the
// test when the firmware says neither.
func Bootable(t testing.TB, firmware Firmware, disk string) bool {
	t.Helper()
	m := Boot(t, Config{Disk: disk, Firmware: firmware})
	defer m.Stop()
	v := verdicts[firmware]
	out := m.console
	if firmware == SeaBIOS {
		out = m.debug
	}
	return out.expect(t, bootLimit, v.boots, v.nothing) == 0
}

// firmwareArguments returns QEMU's arguments for the firmware.
func firmwareArguments(t testing.TB, f Firmware) []string {
	t.Helper()
	if f != OVMF {
		return nil
	}
	const dir = "/usr/share/OVMF"
	b, err := os.ReadFile(filepath.Join(dir, "OVMF_VARS_4M.fd"))
	if err != nil {
		t.Fatalf("needs Debian's ovmf: %v", err)
	}
	vars := filepath.Join(t.TempDir(), "vars.fd")
	if err := os.WriteFile(vars, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"-drive", "if=pflash,format=raw,readonly=on,file=" + filepath.Join(dir, "OVMF_CODE_4M.fd"),
		"-drive", "if=pflash,format=raw,file=" + vars,
	}
}
