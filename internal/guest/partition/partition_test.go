package partition

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snf-image/tests/require"
)

const mib = 1 << 20

// tool skips the test when a reference tool is missing.
func tool(t *testing.T, name string) {
	t.Helper()
	require.Tool(t, name)
}

// run runs a reference tool and returns its output.
func run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return require.Run(t, stdin, args...)
}

// makeDisk makes a disk of before MiB with a table by sfdisk, noise as boot
// code, and then gives it its final size.
func makeDisk(t *testing.T, script string, before, after int64) *os.File {
	t.Helper()
	tool(t, "sfdisk")
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	truncate(t, f, before)
	run(t, script, "sfdisk", "-q", f.Name())
	if _, err := f.WriteAt(bytes.Repeat([]byte{0x90, 0xcd}, 200), 0); err != nil {
		t.Fatal(err)
	}
	truncate(t, f, after)
	return f
}

func truncate(t *testing.T, f *os.File, sizeMiB int64) {
	t.Helper()
	if err := f.Truncate(sizeMiB * mib); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, f *os.File) int64 {
	t.Helper()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func read(t *testing.T, f *os.File) *Table {
	t.Helper()
	table, err := Read(f, size(t, f))
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return table
}

// listing is what sfdisk --json says.
type listing struct {
	Table struct {
		Label, ID  string
		Partitions []struct {
			Node                    string
			Start, Size             int64
			Type, UUID, Name, Attrs string
			Bootable                bool
		}
	} `json:"partitiontable"`
}

func sfdisk(t *testing.T, f *os.File) listing {
	t.Helper()
	var l listing
	if err := json.Unmarshal([]byte(run(t, "", "sfdisk", "--json", f.Name())), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// checkListing compares a table as read by us with sfdisk's view of the disk.
func checkListing(t *testing.T, f *os.File) {
	t.Helper()
	ours, theirs := read(t, f), sfdisk(t, f)
	if string(ours.Kind) != theirs.Table.Label || !strings.EqualFold(ours.ID, theirs.Table.ID) {
		t.Errorf("Read = %s %s, sfdisk says %s %s", ours.Kind, ours.ID, theirs.Table.Label, theirs.Table.ID)
	}
	var got, want []string
	for _, p := range ours.Partitions {
		got = append(got, fmt.Sprintln(p.Number, p.Start/512, p.Size/512, shortType(p), p.Name))
	}
	for _, p := range theirs.Table.Partitions {
		n := strings.TrimPrefix(p.Node, f.Name())
		want = append(want, fmt.Sprintln(n, p.Start, p.Size, p.Type, p.Name))
	}
	if strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("Read:\n%s\nsfdisk:\n%s", got, want)
	}
}

// shortType drops the leading zero of an MBR type, as sfdisk does.
func shortType(p Partition) string {
	if len(p.Type) == 2 {
		return strings.TrimPrefix(p.Type, "0")
	}
	return p.Type
}

const gptScript = `label: gpt
label-id: 6D219FF4-0BF2-6A4B-86D3-A1101FDEC179
first-lba: 34
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=460DB998-D08F-5B4B-AF17-74B36BE6D003, name="bios"
start=20480, size=20480, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=1AD85792-607A-9C47-A829-198E96EB48AC, name="röot", attrs="RequiredPartition GUID:60"
start=4096, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=1AD85792-607A-9C47-A829-198E96EB48AD
`

const dosScript = `label: dos
label-id: 0x6bf5c7b0
start=2048, size=20480, type=83, bootable
start=22528, size=20480, type=7
`

const logicalScript = `label: dos
label-id: 0x6bf5c7b1
start=2048, size=8192, type=83, bootable
start=10240, size=40960, type=f
start=12288, size=8192, type=83
start=22528, size=8192, type=83
`

const emptyExtendedScript = `label: dos
start=2048, size=8192, type=83
start=10240, size=8192, type=5
`

// orderScript links the logical partition that lies second behind the third.
const orderScript = `label: dos
start=2048, size=8192, type=83
start=10240, size=51200, type=5
start=12288, size=8192, type=83
start=36864, size=8192, type=83
start=24576, size=8192, type=83
`

func TestReadAgreesWithSfdisk(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"gpt": gptScript, "dos": dosScript, "logical": logicalScript, "empty extended": emptyExtendedScript, "logical in any order": orderScript,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkListing(t, makeDisk(t, script, 32, 32))
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		script string
		damage func(f *os.File) error
		want   error
		text   string
	}{
		{"no table", dosScript, write(510, 0, 0), ErrNoTable, ""},
		{"boot sector of a file system", dosScript, write(446, 0x11), ErrNoTable, ""},
		{"header checksum", gptScript, write(512+56, 1), ErrDamaged, "checksum of the GPT header"},
		{"entries checksum", gptScript, write(1024+57, 1), ErrDamaged, "checksum of the GPT entries"},
		{"header missing", gptScript, write(512, 0), ErrDamaged, "no GPT header"},
		{"chain without signature", orderScript, write(34816*512+510, 0), ErrDamaged, "no signature"},
		{"chain that loops", logicalScript, write(10240*512+446+16+8, 0, 0, 0, 0), ErrDamaged, "leads to sector 10240"},
		{"chain out of the extended", logicalScript, write(10240*512+446+16+8, 0, 0, 0, 1), ErrDamaged, "outside"},
		{"logical out of the extended", logicalScript, write(10240*512+446+12, 0, 0, 1), ErrDamaged, "outside"},
		{"two extended", logicalScript, write(446+4, 5), ErrDamaged, "both extended"},
		{"cut disk", dosScript, func(f *os.File) error { return f.Truncate(12 * mib) }, ErrDamaged, "partition 2 ends"},
		{"nothing at all", dosScript, func(f *os.File) error { return f.Truncate(0) }, ErrDamaged, "sector 0"},
		{"large sectors", gptScript, func(f *os.File) error {
			return errors.Join(write(512, 0)(f), write(4096, []byte(gptMagic)...)(f))
		}, ErrSectors, "sectors of 4096 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, tt.script, 32, 32)
			if err := tt.damage(f); err != nil {
				t.Fatal(err)
			}
			_, err := Read(f, size(t, f))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Read = %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

// write returns a function that puts bytes at an offset.
func write(at int64, b ...byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteAt(b, at)
		return err
	}
}

func TestSmallestDisk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		want         int64
	}{
		{"gpt", gptScript, 22 * mib}, // the last partition ends at 20 MiB
		{"dos", dosScript, 22 * mib}, // at 21 MiB
		{"logical", logicalScript, 26 * mib},
		{"disk that is full", "label: gpt\nstart=2048, size=63455\n", 32 * mib},
		{"disk that is full, dos", "label: dos\nstart=2048, type=83\n", 32 * mib},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := makeDisk(t, tt.script, 32, 32)
			if got := read(t, f).SmallestDisk(); got != tt.want {
				t.Errorf("SmallestDisk = %d, want %d", got, tt.want)
			}
		})
	}
}

// TestReadWithoutBootRecord has an extended partition in which nothing was made
// yet, and noise where its first record will be.
func TestReadWithoutBootRecord(t *testing.T) {
	t.Parallel()
	f := makeDisk(t, emptyExtendedScript, 32, 32)
	noise := bytes.Repeat([]byte{0xa5}, SectorSize)
	if err := write(10240*SectorSize, noise...)(f); err != nil {
		t.Fatal(err)
	}
	before := contents(t, f)
	if got := read(t, f).Partitions; len(got) != 2 || !got[1].Extended {
		t.Errorf("Read = %+v, want a primary and an empty extended partition", got)
	}
	grow(t, f, nil)
	if at := 10240 * SectorSize; !bytes.Equal(contents(t, f)[at:at+SectorSize], before[at:at+SectorSize]) {
		t.Error("the sector without a boot record was written although nothing was added")
	}
	grow(t, f, &Swap{Number: 5, MiB: 2})
	verify(t, f, DOS)
	checkListing(t, f)
}

// TestReadBeyondAnyDisk has an entry whose last byte has no number.
func TestReadBeyondAnyDisk(t *testing.T) {
	t.Parallel()
	for _, last := range []byte{0x40, 0x3f, 0x20, 0x1f} { // the highest of 7 bytes
		f := makeDisk(t, gptScript, 32, 32)
		b := contents(t, f)
		entry := b[1024:1152]
		copy(entry[entryLast:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, last, 0})
		header := b[512:1024]
		binary.LittleEndian.PutUint32(header[gptEntriesCRC:], crc32.ChecksumIEEE(b[1024:1024+128*128]))
		binary.LittleEndian.PutUint32(header[gptHeaderCRC:], headerCRC(header))
		if table, err := Read(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrDamaged) {
			t.Errorf("Read with a last sector of %#x… = %+v, %v, want ErrDamaged", last, table, err)
		}
	}
}
