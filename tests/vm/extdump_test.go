package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"snf-image/tests/harness"
	"snf-image/tests/images"
	"snf-image/tests/machine"
	"snf-image/tests/oracle"
)

// bootSector is what a boot loader would put before a file system: it looks at what the
// boot code of the disk must hand over, and tells the serial port.
const bootSector = `
	.intel_syntax noprefix
	.code16
start:	cld
	mov	bx, 0x7c00 + bad - start
	cmp	dl, 0x80		# the drive
	jne	tell
	cmp	si, 0x7be		# the first entry of the table
	jne	tell
	cmp	byte ptr [si], 0x80
	jne	tell
	cmp	dword ptr [si + 8], 2048
	jne	tell
	mov	bx, 0x7c00 + good - start
tell:	mov	al, [bx]
	test	al, al
	jz	stop
	mov	dx, 0x3f8
	out	dx, al
	inc	bx
	jmp	tell
stop:	hlt
	jmp	stop
good:	.asciz	"the partition was started as it should be\r\n"
bad:	.asciz	"the partition was started with wrong registers\r\n"
	.org	510
	.word	0xaa55
`

// assembled returns the boot sector.
func assembled(t *testing.T, dir, bootSector string) []byte {
	t.Helper()
	object, binary := filepath.Join(dir, "boot.o"), filepath.Join(dir, "boot.bin")
	source := harness.File(t, dir, "boot.asm", bootSector)
	for _, args := range [][]string{{"as", "--32", "-o", object, source}, {"objcopy", "-O", "binary", "-j", ".text", object, binary}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	b, err := os.ReadFile(binary)
	if err != nil || len(b) != 512 {
		t.Fatalf("the boot sector has %d bytes: %v", len(b), err)
	}
	return b
}

// TestExtDump deploys the dump of a file system, compressed, to a larger disk: the partition
// begins as large as the dump and grows with the others' tasks, the system's files are
// changed, and a firmware starts the boot loader of the partition, with and without the
// extensions for large disks.
func TestExtDump(t *testing.T) {
	harness.Gate(t, append([]string{"as", "objcopy", "gzip"}, needed...)...)
	t.Parallel()
	j := makeJob(t, images.Whole("ext4", 64, images.Debian()))
	boot := assembled(t, j.dir, bootSector)
	writeTo(t, j.image, 0, boot)
	if out, err := exec.Command("gzip", "-1", j.image).CombinedOutput(); err != nil {
		t.Fatalf("gzip: %v: %s", err, out)
	}
	j.image += ".gz"
	site.Run(t, j.args("--format", "extdump")...).OK(t)
	j.done()
	table, parts := oracle.ReadTable(t, j.disk)
	if p := parts[1]; table.Label != "dos" || len(parts) != 1 || p.Start != 2048 || p.Type != "83" || p.End() != 256<<20/512 {
		t.Errorf("table %+v, partitions %+v, want an MBR with partition 1 from sector 2048 to the end", table, parts)
	}
	if got := oracle.ReadFile(t, j.disk, 1, "etc/hostname"); got != "web1.example.org\n" {
		t.Errorf("host name = %q", got)
	}
	if got := readAt(t, j.disk, 1<<20, 512); !bytes.Equal(got, boot) {
		t.Error("the boot sector of the dump has changed")
	}
	starts(t, j.disk)
	code := readAt(t, j.disk, 0, 440)
	i := bytes.Index(code, []byte{0xb4, 0x41}) // mov ah, 0x41
	if i < 0 {
		t.Fatal("the boot code does not ask for the extensions")
	}
	writeTo(t, j.disk, int64(i)+1, []byte{0x4f}) // a function no firmware has
	starts(t, j.disk)

	j.image = images.Primary("ext4", images.PlainDebian()).Write(t, filepath.Join(j.dir, "disk-image"))
	site.Run(t, j.args("--format", "extdump")...).Fails(t, 3, "not a dump of an ext2, ext3 or ext4 file system")
}

// starts has SeaBIOS start the disk.
func starts(t *testing.T, disk string) {
	t.Helper()
	m := machine.Boot(t, machine.Config{Disk: disk, Firmware: machine.SeaBIOS})
	m.Expect(t, time.Minute, `the partition was started as it should be\r?\n`)
	m.Stop()
}

func readAt(t *testing.T, path string, off int64, n int) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeTo(t *testing.T, path string, off int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	writeAt(t, f, off, b)
}
