package blockmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// refusal is a change that makes a sound image one that is refused.
type refusal struct {
	kind string
	harm func(b []byte)
	want error
	text string
}

var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// put32 and put64 make a change of one field.
func put32(order binary.ByteOrder, at int, n uint32) func([]byte) {
	return func(b []byte) { order.PutUint32(b[at:], n) }
}

func put64(order binary.ByteOrder, at int, n uint64) func([]byte) {
	return func(b []byte) { order.PutUint64(b[at:], n) }
}

// say replaces a word of the descriptor of a VMDK by one of the same length or shorter.
func say(old, text string) func([]byte) {
	return func(b []byte) {
		at := bytes.Index(b, []byte(old))
		copy(b[at:], text+strings.Repeat(" ", len(old)-len(text)))
	}
}

func both(a, b func([]byte)) func([]byte) {
	return func(image []byte) { a(image); b(image) }
}

// refusals are by name. Where tables are is as qemu-img puts them.
func refusals() map[string]refusal {
	const directory, table, grains = 26 * sector, 27 * sector, 128 * sector
	const bat, metadata = 2 << 20, 3 << 20
	return map[string]refusal{
		"VMDK version":              {"vmdk", put32(le, 4, 4), ErrRefused, "version 4"},
		"VMDK feature":              {"vmdk", put32(le, 8, 3|1<<20), ErrRefused, "0x100000"},
		"VMDK as text":              {"vmdk", func(b []byte) { b[75] = '\n' }, ErrDamaged, "as text"},
		"VMDK compression":          {"packed", func(b []byte) { b[77] = 2 }, ErrRefused, "unknown method"},
		"VMDK without markers":      {"packed", put32(le, 8, 0x10001), ErrRefused, "unknown method"},
		"VMDK of no size":           {"vmdk", put64(le, 12, 0), ErrRefused, "a disk of 0 bytes"},
		"VMDK of absurd size":       {"vmdk", put64(le, 12, 1<<50), ErrRefused, "a disk of 1125899906842624 sectors"},
		"VMDK grains":               {"vmdk", put64(le, 20, 1<<40), ErrRefused, "grains of"},
		"VMDK descriptor":           {"vmdk", put64(le, 36, 1<<30), ErrRefused, "a descriptor of"},
		"VMDK part of several":      {"vmdk", put64(le, 28, 0), ErrRefused, "one of several files of a split VMDK"},
		"VMDK tables":               {"vmdk", put32(le, 44, 1024), ErrRefused, "tables of 1024 grains"},
		"VMDK size is another":      {"vmdk", put64(le, 12, 4096), ErrDamaged, `its descriptor says "8192" sectors, its header 4096`},
		"VMDK with a parent":        {"vmdk", say("parentCID=ffffffff", "parentCID=12345678"), ErrRefused, "differs from another image"},
		"VMDK with a parent's name": {"vmdk", say("# The Disk Data Base", `parentFileNameHint=a`), ErrRefused, "differs from another image"},
		"VMDK parent said twice":    {"vmdk", say("# The Disk Data Base", `parentCID=ffffffff`), ErrDamaged, "says parentcid twice"},
		"VMDK type":                 {"vmdk", say(`"monolithicSparse"`, `"vmfsSparse"`), ErrRefused, `"vmfsSparse", which takes other files`},
		"VMDK flat extent":          {"vmdk", say(`SPARSE "`, `FLAT "`), ErrRefused, "lies in another file"},
		"VMDK encrypted":            {"vmdk", say("# The Disk Data Base", `encryption.keys="a"`), ErrRefused, "encrypted"},
		"VMDK directory outside":    {"vmdk", put64(le, 56, 1<<30), ErrDamaged, "outside of the file"},
		"VMDK directory in header":  {"vmdk", put64(le, 56, 0), ErrDamaged, "no grain directory"},
		"VMDK table outside":        {"vmdk", put32(le, directory, 1<<30), ErrDamaged, "outside of the file"},
		"VMDK table is directory":   {"vmdk", put32(le, directory, directory/sector), ErrDamaged, "overlaps the grain directory"},
		"VMDK table among grains":   {"vmdk", put32(le, directory, grains/sector), ErrDamaged, "among the grains"},
		"VMDK grain outside":        {"vmdk", put32(le, table, 1<<30), ErrDamaged, "outside of the file"},
		"VMDK grain is a table":     {"vmdk", put32(le, table, 30), ErrDamaged, "overlaps the tables"},
		"VMDK grain twice":          {"vmdk", both(put32(le, table, grains/sector), put32(le, table+4, grains/sector+8)), ErrDamaged, "overlaps another one"},
		"VMDK grain of another":     {"packed", put64(le, grains, 8*128), ErrDamaged, "the grain at 0x10000 is that of sector 1024"},
		"VMDK grain too long":       {"packed", put32(le, grains+8, 1<<30), ErrDamaged, "1073741824 compressed bytes"},
		"VMDK grain damaged":        {"packed", put32(le, grains+20, 0x5a5a5a5a), ErrDamaged, "the grain at 0x10000"},
		"VMDK footer":               {"packed", func(b []byte) { clear(b[len(b)-3*sector:]) }, ErrTruncated, "footer"},

		"VDI version":          {"vdi", put32(le, 0x44, 1), ErrRefused, "version 0x1"},
		"VDI differencing":     {"vdi", put32(le, 0x4c, 4), ErrRefused, "differs from another image"},
		"VDI with a parent":    {"vdi", put32(le, 0x1a8, 1), ErrRefused, "differs from another image"},
		"VDI type":             {"vdi", put32(le, 0x4c, 9), ErrRefused, "type 9"},
		"VDI sectors":          {"vdi", put32(le, 0x168, 4096), ErrRefused, "sectors of 4096"},
		"VDI blocks":           {"vdi", put32(le, 0x178, 1<<30), ErrRefused, "blocks of 1073741824"},
		"VDI more in a block":  {"vdi", put32(le, 0x17c, 512), ErrRefused, "with 512 more"},
		"VDI of absurd size":   {"vdi", put64(le, 0x170, 1<<63), ErrRefused, "a disk of"},
		"VDI of odd size":      {"vdi", put64(le, 0x170, 4<<20-1), ErrDamaged, "not whole sectors"},
		"VDI table too short":  {"vdi", put32(le, 0x180, 2), ErrDamaged, "does not reach"},
		"VDI table absurd":     {"vdi", put32(le, 0x180, 1<<31), ErrRefused, "a table of"},
		"VDI table outside":    {"vdi", put32(le, 0x154, 1<<31), ErrDamaged, "outside of the file"},
		"VDI table in header":  {"vdi", put32(le, 0x154, 0), ErrDamaged, "overlaps the header"},
		"VDI data in header":   {"vdi", both(put32(le, 0x158, 0), put32(le, 0x200, 0)), ErrDamaged, "its data at 0x0"},
		"VDI block in table":   {"vdi", both(put32(le, 0x158, 0x200), put32(le, 0x200, 0)), ErrDamaged, "overlaps the table of blocks"},
		"VDI block outside":    {"vdi", put32(le, 0x200, 1000), ErrDamaged, "outside of the file"},
		"VDI block twice":      {"vdi", both(put32(le, 0x200, 0), put32(le, 0x204, 0)), ErrDamaged, "overlaps another one"},
		"VHD version":          {"vhd", put32(be, 12, 0x20000), ErrRefused, "version 0x20000"},
		"VHD feature":          {"vhd", put32(be, 8, 0x12), ErrRefused, "bits 0x10"},
		"VHD differencing":     {"vhd", put32(be, 60, 4), ErrRefused, "differs from another image"},
		"VHD type":             {"vhd", put32(be, 60, 6), ErrRefused, "type 6"},
		"VHD fixed and not":    {"vhd", put32(be, 60, 2), ErrDamaged, "begins with the footer of a fixed disk"},
		"VHD saved state":      {"vhd", func(b []byte) { b[84] = 1 }, ErrRefused, "saved state"},
		"VHD of absurd size":   {"vhd", put64(be, 48, 1<<60), ErrRefused, "a disk of"},
		"VHD header outside":   {"vhd", put64(be, 16, 1<<40), ErrTruncated, "reading 1024 bytes"},
		"VHD header unaligned": {"vhd", put64(be, 16, 513), ErrDamaged, "its header is at"},
		"VHD dynamic version":  {"vhd", put32(be, 512+24, 7), ErrRefused, "version 0x7"},
		"VHD blocks":           {"vhd", put32(be, 512+32, 3<<20), ErrRefused, "blocks of"},
		"VHD table too short":  {"vhd", put32(be, 512+28, 1), ErrDamaged, "does not reach"},
		"VHD table absurd":     {"vhd", put32(be, 512+28, 1<<31), ErrRefused, "a table of"},
		"VHD table in header":  {"vhd", put64(be, 512+16, 512), ErrDamaged, "overlaps the header"},
		"VHD block outside":    {"vhd", put32(be, 0x600, 1<<30), ErrDamaged, "outside of the file"},
		"VHD block in table":   {"vhd", put32(be, 0x600, 3), ErrDamaged, "overlaps the table of blocks"},
		"VHD block twice":      {"vhd", func(b []byte) { copy(b[0x604:], b[0x600:0x604]) }, ErrDamaged, "overlaps another one"},

		"VHDX version":            {"vhdx", both(put32(le, 64<<10+64, 2<<16), put32(le, 128<<10+64, 2<<16)), ErrRefused, "version 2"},
		"VHDX log":                {"vhdx", both(put32(le, 64<<10+48, 1), put32(le, 128<<10+48, 1)), ErrRefused, "log has to be replayed"},
		"VHDX two of an age":      {"vhdx", both(put64(le, 64<<10+8, 9), both(put64(le, 128<<10+8, 9), put32(le, 128<<10+16, 9))), ErrDamaged, "two headers of the same age"},
		"VHDX region":             {"vhdx", both(put32(le, 192<<10+16, 9), put32(le, 192<<10+16+28, 1)), ErrRefused, "a region this version does not know"},
		"VHDX region missing":     {"vhdx", put32(le, 192<<10+8, 1), ErrDamaged, "a region is missing"},
		"VHDX region outside":     {"vhdx", put64(le, 192<<10+32, 1<<40), ErrDamaged, "outside of the file"},
		"VHDX region in another":  {"vhdx", put64(le, 192<<10+32, metadata), ErrDamaged, "overlaps"},
		"VHDX metadata":           {"vhdx", put32(le, metadata+32, 9), ErrRefused, "metadata this version does not know"},
		"VHDX metadata twice":     {"vhdx", func(b []byte) { copy(b[metadata+64:], b[metadata+32:metadata+64]) }, ErrDamaged, "there twice"},
		"VHDX metadata far away":  {"vhdx", put32(le, metadata+32+16, 1<<30), ErrDamaged, "outside of its region"},
		"VHDX differencing":       {"vhdx", put32(le, metadata+64<<10+4, 2), ErrRefused, "differs from another image"},
		"VHDX blocks":             {"vhdx", put32(le, metadata+64<<10, 3<<20), ErrDamaged, "blocks of"},
		"VHDX sectors":            {"vhdx", put32(le, metadata+64<<10+32, 4096), ErrRefused, "sectors of 4096"},
		"VHDX of absurd size":     {"vhdx", put64(le, metadata+64<<10+8, 1<<60), ErrRefused, "a disk of"},
		"VHDX table too short":    {"vhdx", put64(le, metadata+64<<10+8, 1<<40), ErrDamaged, "does not reach"},
		"VHDX block partly in it": {"vhdx", put64(le, bat, 7), ErrRefused, "only partly in it"},
		"VHDX block reserved":     {"vhdx", put64(le, bat, 8), ErrDamaged, "table of blocks is 0x8"},
		"VHDX block outside":      {"vhdx", put64(le, bat, 1<<40|6), ErrDamaged, "outside of the file"},
		"VHDX block in headers":   {"vhdx", put64(le, bat, 6), ErrDamaged, "table of blocks is 0x6"},
		"VHDX block in table":     {"vhdx", put64(le, bat, bat|6), ErrDamaged, "overlaps the table of blocks"},
		"VHDX block twice":        {"vhdx", func(b []byte) { copy(b[bat:], b[bat+8:bat+16]) }, ErrDamaged, "overlaps another one"},
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	all := kinds()
	for name, tc := range refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := all[tc.kind]
			b := k.bytes(t)
			tc.harm(b)
			if k.seal != nil {
				k.seal(b)
			}
			if _, err := k.disk(t, b); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("open = %v, want %v with %q", err, tc.want, tc.text)
			}
		})
	}
}

// TestChecksums: a header with a wrong checksum is not believed, and of VHDX the other one is.
func TestChecksums(t *testing.T) {
	t.Parallel()
	vhd, vhdx := kinds()["vhd"], kinds()["vhdx"]
	for _, at := range []int{30, 512 + 40} {
		b := vhd.bytes(t)
		b[at] ^= 1
		if _, err := vhd.disk(t, b); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("VHD with a change at %d: %v", at, err)
		}
	}
	b := vhd.bytes(t)
	copy(b[len(b)-sector:], make([]byte, sector))
	if _, err := vhd.disk(t, b); !errors.Is(err, ErrTruncated) {
		t.Errorf("VHD without footer: %v", err)
	}
	b = vhdx.bytes(t)
	b[64<<10+20] ^= 1
	b[192<<10+20] ^= 1
	if got, err := vhdx.disk(t, b); err != nil || !bytes.Equal(got, sample()) {
		t.Errorf("VHDX with one header and one table that are damaged: %v", err)
	}
	b[128<<10+20] ^= 1
	if _, err := vhdx.disk(t, b); !errors.Is(err, ErrDamaged) {
		t.Errorf("VHDX without a sound header: %v", err)
	}
}
