package foreign

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecognize has real programs make files of each format.
func TestRecognize(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"a qcow2 image": "qemu-img create -q -f qcow2 out 8M",
		"a QED image":   "qemu-img create -q -f qed out 8M",
		"a VMDK image":  "qemu-img create -q -f vmdk out 8M",
		"the descriptor of a VMDK image in several files": "qemu-img create -q -f vmdk -o subformat=monolithicFlat out 8M",
		"a VDI image":       "qemu-img create -q -f vdi out 8M",
		"a VHDX image":      "qemu-img create -q -f vhdx out 8M",
		"a VHD image":       "qemu-img create -q -f vpc out 8M",
		"a Parallels image": "qemu-img create -q -f parallels out 8M",
		"a gzip file":       "echo x | gzip >out",
		"an xz file":        "echo x | xz >out",
		"a bzip2 file":      "echo x | bzip2 >out",
		"a tar archive":     "echo x >x; tar cf out x",
		"":                  "truncate -s 8M out; echo ', , L' | sfdisk -q out",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command("bash", "-ec", script)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			text, err := os.ReadFile(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			got := Recognize(text[:min(len(text), HeaderSize)])
			switch {
			case name == "" && got != nil:
				t.Errorf("a disk is taken for %s", got.Name)
			case name != "" && (got == nil || got.Name != name || got.Remedy == ""):
				t.Errorf("Recognize = %v, want %s", got, name)
			}
		})
	}
}

// TestRecognizeWithoutAProgram: formats whose programs are seldom installed, by the
// magic numbers their specifications give, and what is too short.
func TestRecognizeWithoutAProgram(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"\x28\xb5\x2f\xfd\x04": "a zstd file", "\x04\x22\x4d\x18": "an LZ4 file", "PK\x03\x04": "a zip archive",
		"7z\xbc\xaf\x27\x1c": "a 7z archive", "\x89LZO\x00\r\n\x1a\n": "an lzop file", "COWD": "a part of a VMDK image of ESX",
		"\x5f\x2a\x4d\x18": "a zstd or LZ4 file that begins with a frame to skip", "\x60\x2a\x4d\x18": "",
		"": "", "QFI": "", strings.Repeat("\x00", HeaderSize): "", strings.Repeat("\x00", 256) + "\x00": "",
	} {
		got := Recognize([]byte(header))
		if got == nil && want != "" || got != nil && got.Name != want {
			t.Errorf("Recognize(%q) = %v, want %q", header, got, want)
		}
	}
}
