package corpus

import (
	"bytes"

	"snf-image/tests/vmdk"
)

// Class is what is wrong with an image.
type Class int

// The classes.
const (
	Refused   Class = iota // on purpose
	Damaged                // it contradicts itself or its format
	Truncated              // it ends too early
	Odd                    // it is not whole sectors
	Ambiguous              // it has the marks of two formats
	Empty                  // there is nothing
	Unnamed                // another error than these
)

// Refusal is a change that makes a sound image one that is refused.
type Refusal struct {
	Kind  string
	Harm  func(b []byte) []byte
	Class Class
	Text  string // in the error
}

// Refusals returns all by name. Where tables are is as qemu-img puts them.
func Refusals() map[string]Refusal {
	all := mapped()
	for name, r := range qcow2() {
		all[name] = r
	}
	return all
}

// Make returns the image that is refused, made of a sound one.
func (r Refusal) Make(sound []byte) []byte {
	b := r.Harm(bytes.Clone(sound))
	if k := Kinds()[r.Kind]; k.Seal != nil {
		k.Seal(b)
	}
	return b
}

// mapped returns those of formats with one table.
func mapped() map[string]Refusal {
	const directory, table, grains = 26 * sector, 27 * sector, 128 * sector
	const bat, metadata = 2 << 20, 3 << 20
	return map[string]Refusal{
		"VMDK version":              {"vmdk", put32(le, 4, 4), Refused, "version 4"},
		"VMDK feature":              {"vmdk", put32(le, 8, 3|1<<20), Refused, "0x100000"},
		"VMDK as text":              {"vmdk", in(func(b []byte) { b[75] = '\n' }), Damaged, "as text"},
		"VMDK compression":          {"packed", in(func(b []byte) { b[77] = 2 }), Refused, "unknown method"},
		"VMDK without markers":      {"packed", put32(le, 8, 0x10001), Refused, "unknown method"},
		"VMDK of no size":           {"vmdk", put64(le, 12, 0), Refused, "a disk of 0 bytes"},
		"VMDK of absurd size":       {"vmdk", put64(le, 12, 1<<50), Refused, "a disk of 1125899906842624 sectors"},
		"VMDK grains":               {"vmdk", put64(le, 20, 1<<40), Refused, "grains of"},
		"VMDK descriptor":           {"vmdk", put64(le, 36, 1<<30), Refused, "a descriptor of"},
		"VMDK part of several":      {"vmdk", put64(le, 28, 0), Refused, "one of several files of a split VMDK"},
		"VMDK tables":               {"vmdk", put32(le, 44, 1024), Refused, "tables of 1024 grains"},
		"VMDK size is another":      {"vmdk", put64(le, 12, 4096), Damaged, `its descriptor says "8192" sectors, its header 4096`},
		"VMDK with a parent":        {"vmdk", say("parentCID=ffffffff", "parentCID=12345678"), Refused, "differs from another image"},
		"VMDK with a parent's name": {"vmdk", say("# The Disk Data Base", `parentFileNameHint=a`), Refused, "differs from another image"},
		"VMDK parent said twice":    {"vmdk", say("# The Disk Data Base", `parentCID=ffffffff`), Damaged, "says parentcid twice"},
		"VMDK type":                 {"vmdk", say(`"monolithicSparse"`, `"vmfsSparse"`), Refused, `"vmfsSparse", which takes other files`},
		"VMDK flat extent":          {"vmdk", say(`SPARSE "`, `FLAT "`), Refused, "lies in another file"},
		"VMDK encrypted":            {"vmdk", say("# The Disk Data Base", `encryption.keys="a"`), Refused, "encrypted"},
		"VMDK directory outside":    {"vmdk", put64(le, 56, 1<<30), Damaged, "outside of the file"},
		"VMDK directory in header":  {"vmdk", put64(le, 56, 0), Damaged, "no grain directory"},
		"VMDK table outside":        {"vmdk", put32(le, directory, 1<<30), Damaged, "outside of the file"},
		"VMDK table is directory":   {"vmdk", put32(le, directory, directory/sector), Damaged, "overlaps the grain directory"},
		"VMDK table among grains":   {"vmdk", put32(le, directory, grains/sector), Damaged, "among the grains"},
		"VMDK grain outside":        {"vmdk", put32(le, table, 1<<30), Damaged, "outside of the file"},
		"VMDK grain is a table":     {"vmdk", put32(le, table, 30), Damaged, "overlaps the tables"},
		"VMDK grain twice":          {"vmdk", both(put32(le, table, grains/sector), put32(le, table+4, grains/sector+8)), Damaged, "overlaps another one"},
		"VMDK grain of another":     {"packed", put64(le, grains, 8*128), Damaged, "the grain at 0x10000 is that of sector 1024"},
		"VMDK grain too long":       {"packed", put32(le, grains+8, 1<<30), Damaged, "1073741824 compressed bytes"},
		"VMDK grain damaged":        {"packed", put32(le, grains+20, 0x5a5a5a5a), Damaged, "the grain at 0x10000"},
		"VMDK footer":               {"packed", in(func(b []byte) { clear(b[len(b)-3*sector:]) }), Truncated, "footer"},

		"VDI version":          {"vdi", put32(le, 0x44, 1), Refused, "version 0x1"},
		"VDI differencing":     {"vdi", put32(le, 0x4c, 4), Refused, "differs from another image"},
		"VDI with a parent":    {"vdi", put32(le, 0x1a8, 1), Refused, "differs from another image"},
		"VDI type":             {"vdi", put32(le, 0x4c, 9), Refused, "type 9"},
		"VDI sectors":          {"vdi", put32(le, 0x168, 4096), Refused, "sectors of 4096"},
		"VDI blocks":           {"vdi", put32(le, 0x178, 1<<30), Refused, "blocks of 1073741824"},
		"VDI more in a block":  {"vdi", put32(le, 0x17c, 512), Refused, "with 512 more"},
		"VDI of absurd size":   {"vdi", put64(le, 0x170, 1<<63), Refused, "a disk of"},
		"VDI of odd size":      {"vdi", put64(le, 0x170, 4<<20-1), Damaged, "not whole sectors"},
		"VDI table too short":  {"vdi", put32(le, 0x180, 2), Damaged, "does not reach"},
		"VDI table absurd":     {"vdi", put32(le, 0x180, 1<<31), Refused, "a table of"},
		"VDI table outside":    {"vdi", put32(le, 0x154, 1<<31), Damaged, "outside of the file"},
		"VDI table in header":  {"vdi", put32(le, 0x154, 0), Damaged, "overlaps the header"},
		"VDI data in header":   {"vdi", both(put32(le, 0x158, 0), put32(le, 0x200, 0)), Damaged, "its data at 0x0"},
		"VDI block in table":   {"vdi", both(put32(le, 0x158, 0x200), put32(le, 0x200, 0)), Damaged, "overlaps the table of blocks"},
		"VDI block outside":    {"vdi", put32(le, 0x200, 1000), Damaged, "outside of the file"},
		"VDI block twice":      {"vdi", both(put32(le, 0x200, 0), put32(le, 0x204, 0)), Damaged, "overlaps another one"},
		"VHD version":          {"vhd", put32(be, 12, 0x20000), Refused, "version 0x20000"},
		"VHD feature":          {"vhd", put32(be, 8, 0x12), Refused, "bits 0x10"},
		"VHD differencing":     {"vhd", put32(be, 60, 4), Refused, "differs from another image"},
		"VHD type":             {"vhd", put32(be, 60, 6), Refused, "type 6"},
		"VHD fixed and not":    {"vhd", put32(be, 60, 2), Damaged, "begins with the footer of a fixed disk"},
		"VHD saved state":      {"vhd", in(func(b []byte) { b[84] = 1 }), Refused, "saved state"},
		"VHD of absurd size":   {"vhd", put64(be, 48, 1<<60), Refused, "a disk of"},
		"VHD header outside":   {"vhd", put64(be, 16, 1<<40), Truncated, "reading 1024 bytes"},
		"VHD header unaligned": {"vhd", put64(be, 16, 513), Damaged, "its header is at"},
		"VHD dynamic version":  {"vhd", put32(be, 512+24, 7), Refused, "version 0x7"},
		"VHD blocks":           {"vhd", put32(be, 512+32, 3<<20), Refused, "blocks of"},
		"VHD table too short":  {"vhd", put32(be, 512+28, 1), Damaged, "does not reach"},
		"VHD table absurd":     {"vhd", put32(be, 512+28, 1<<31), Refused, "a table of"},
		"VHD table in header":  {"vhd", put64(be, 512+16, 512), Damaged, "overlaps the header"},
		"VHD block outside":    {"vhd", put32(be, 0x600, 1<<30), Damaged, "outside of the file"},
		"VHD block in table":   {"vhd", put32(be, 0x600, 3), Damaged, "overlaps the table of blocks"},
		"VHD block twice":      {"vhd", in(func(b []byte) { copy(b[0x604:], b[0x600:0x604]) }), Damaged, "overlaps another one"},

		"VHDX version":            {"vhdx", both(put32(le, 64<<10+64, 2<<16), put32(le, 128<<10+64, 2<<16)), Refused, "version 2"},
		"VHDX log":                {"vhdx", both(put32(le, 64<<10+48, 1), put32(le, 128<<10+48, 1)), Refused, "log has to be replayed"},
		"VHDX two of an age":      {"vhdx", both(put64(le, 64<<10+8, 9), both(put64(le, 128<<10+8, 9), put32(le, 128<<10+16, 9))), Damaged, "two headers of the same age"},
		"VHDX region":             {"vhdx", both(put32(le, 192<<10+16, 9), put32(le, 192<<10+16+28, 1)), Refused, "a region this version does not know"},
		"VHDX region missing":     {"vhdx", put32(le, 192<<10+8, 1), Damaged, "a region is missing"},
		"VHDX region outside":     {"vhdx", put64(le, 192<<10+32, 1<<40), Damaged, "outside of the file"},
		"VHDX region in another":  {"vhdx", put64(le, 192<<10+32, metadata), Damaged, "overlaps"},
		"VHDX metadata":           {"vhdx", put32(le, metadata+32, 9), Refused, "metadata this version does not know"},
		"VHDX metadata twice":     {"vhdx", in(func(b []byte) { copy(b[metadata+64:], b[metadata+32:metadata+64]) }), Damaged, "there twice"},
		"VHDX metadata far away":  {"vhdx", put32(le, metadata+32+16, 1<<30), Damaged, "outside of its region"},
		"VHDX differencing":       {"vhdx", put32(le, metadata+64<<10+4, 2), Refused, "differs from another image"},
		"VHDX blocks":             {"vhdx", put32(le, metadata+64<<10, 3<<20), Damaged, "blocks of"},
		"VHDX sectors":            {"vhdx", put32(le, metadata+64<<10+32, 4096), Refused, "sectors of 4096"},
		"VHDX of absurd size":     {"vhdx", put64(le, metadata+64<<10+8, 1<<60), Refused, "a disk of"},
		"VHDX table too short":    {"vhdx", put64(le, metadata+64<<10+8, 1<<40), Damaged, "does not reach"},
		"VHDX block partly in it": {"vhdx", put64(le, bat, 7), Refused, "only partly in it"},
		"VHDX block reserved":     {"vhdx", put64(le, bat, 8), Damaged, "table of blocks is 0x8"},
		"VHDX block outside":      {"vhdx", put64(le, bat, 1<<40|6), Damaged, "outside of the file"},
		"VHDX block in headers":   {"vhdx", put64(le, bat, 6), Damaged, "table of blocks is 0x6"},
		"VHDX block in table":     {"vhdx", put64(le, bat, bat|6), Damaged, "overlaps the table of blocks"},
		"VHDX block twice":        {"vhdx", in(func(b []byte) { copy(b[bat:], b[bat+8:bat+16]) }), Damaged, "overlaps another one"},
	}
}

// Streamed returns those that are refused when an image is read in one pass, where it can be
// ("packed").
func Streamed() map[string]Refusal {
	const first = 128 * sector // grain; the header and the descriptor are before it
	footer := len(vmdk.StreamOptimized(Sample())) - 2*sector
	return map[string]Refusal{
		"VMDK stream, grain behind the disk":    {"packed", put64(le, first, 1<<40), Damaged, "a grain of sector 1099511627776"},
		"VMDK stream, grain between others":     {"packed", put64(le, first, 8*128+1), Damaged, "a grain of sector 1025"},
		"VMDK stream, grains in another order":  {"packed", put64(le, first, 62*128), Damaged, "comes after sector"},
		"VMDK stream, grain too long":           {"packed", put32(le, first+8, 1<<30), Damaged, "1073741824 compressed bytes"},
		"VMDK stream, grain damaged":            {"packed", put32(le, first+20, 0x5a5a5a5a), Damaged, "the grain of sector"},
		"VMDK stream, unknown marker":           {"packed", put32(le, footer-sector+12, 9), Damaged, "a marker of type 9"},
		"VMDK stream, footer of another disk":   {"packed", put64(le, footer+12, 4096), Damaged, "its footer differs"},
		"VMDK stream, footer that is none":      {"packed", put32(le, footer, 0), Damaged, "its footer"},
		"VMDK stream, descriptor of a flat one": {"packed", say(`SPARSE "`, `FLAT "`), Refused, "lies in another file"},
		"VMDK stream, descriptor behind grains": {"packed", put64(le, 28, 1<<20), Damaged, "its descriptor at"},
	}
}

// qcow2 returns those of qcow2.
func qcow2() map[string]Refusal {
	const l1, l2 = 0x30000, 0x40000
	const corrupt, dataFile, compression = 1 << 1, 1 << 2, 1 << 3 // features
	return map[string]Refusal{
		"qcow2 version":                {"qcow2", func(b []byte) []byte { be.PutUint32(b[4:], 4); return b }, Refused, "version 4"},
		"qcow2 backing file":           {"qcow2", func(b []byte) []byte { be.PutUint64(b[8:], 0x200); be.PutUint32(b[16:], 9); return b }, Refused, "backing file"},
		"qcow2 encryption":             {"qcow2", func(b []byte) []byte { be.PutUint32(b[32:], 2); return b }, Refused, "encrypted"},
		"qcow2 external data file":     {"qcow2", func(b []byte) []byte { be.PutUint64(b[72:], dataFile); return b }, Refused, "external data file"},
		"qcow2 corrupt":                {"qcow2", func(b []byte) []byte { be.PutUint64(b[72:], corrupt); return b }, Damaged, "marked as corrupt"},
		"qcow2 unknown feature":        {"qcow2", func(b []byte) []byte { be.PutUint64(b[72:], 1<<40); return b }, Refused, "0x10000000000"},
		"qcow2 unknown compression":    {"qcow2", func(b []byte) []byte { be.PutUint64(b[72:], compression); b[104] = 7; return b }, Refused, "unknown method"},
		"qcow2 tiny clusters":          {"qcow2", func(b []byte) []byte { be.PutUint32(b[20:], 8); return b }, Damaged, "2^8"},
		"qcow2 giant clusters":         {"qcow2", func(b []byte) []byte { be.PutUint32(b[20:], 0xffffffff); return b }, Damaged, "2^4294967295"},
		"qcow2 absurd size":            {"qcow2", func(b []byte) []byte { be.PutUint64(b[24:], 1<<63); return b }, Refused, "a disk of"},
		"qcow2 no size":                {"qcow2", func(b []byte) []byte { be.PutUint64(b[24:], 0); return b }, Refused, "a disk of 0"},
		"qcow2 odd size":               {"qcow2", func(b []byte) []byte { be.PutUint64(b[24:], 4<<20-1); return b }, Odd, "too many"},
		"qcow2 L1 too short":           {"qcow2", func(b []byte) []byte { be.PutUint64(b[24:], 1<<40); return b }, Damaged, "does not reach"},
		"qcow2 L1 absurd":              {"qcow2", func(b []byte) []byte { be.PutUint32(b[36:], 1<<31); return b }, Refused, "first-level table of"},
		"qcow2 L1 outside":             {"qcow2", func(b []byte) []byte { be.PutUint64(b[40:], 1<<30); return b }, Damaged, "outside of the file"},
		"qcow2 L1 unaligned":           {"qcow2", func(b []byte) []byte { be.PutUint64(b[40:], l1+8); return b }, Damaged, "first-level table is at"},
		"qcow2 L1 is the header":       {"qcow2", func(b []byte) []byte { be.PutUint64(b[40:], 0); return b }, Damaged, "overlaps"},
		"qcow2 refcounts outside":      {"qcow2", func(b []byte) []byte { be.PutUint32(b[56:], 1<<20); return b }, Damaged, "outside of the file"},
		"qcow2 snapshots absurd":       {"qcow2", func(b []byte) []byte { be.PutUint32(b[60:], 1<<30); return b }, Refused, "snapshots"},
		"qcow2 snapshots outside":      {"qcow2", func(b []byte) []byte { be.PutUint32(b[60:], 1); be.PutUint64(b[64:], 1<<30); return b }, Damaged, "snapshots at"},
		"qcow2 header too long":        {"qcow2", func(b []byte) []byte { be.PutUint32(b[100:], 1<<20); return b }, Damaged, "header of"},
		"qcow2 L1 entry reserved bits": {"qcow2", func(b []byte) []byte { b[l1+7] |= 1; return b }, Damaged, "first-level table is"},
		"qcow2 L2 outside":             {"qcow2", func(b []byte) []byte { be.PutUint64(b[l1:], 1<<63|1<<30); return b }, Damaged, "second-level table at"},
		"qcow2 L2 is the L1":           {"qcow2", func(b []byte) []byte { be.PutUint64(b[l1:], 1<<63|l1); return b }, Damaged, "overlaps"},
		"qcow2 L2 entry reserved bits": {"qcow2", func(b []byte) []byte { b[l2+16*8+7] |= 2; return b }, Damaged, "second-level entry"},
		"qcow2 cluster outside":        {"qcow2", func(b []byte) []byte { be.PutUint64(b[l2:], 1<<63|1<<40); return b }, Damaged, "outside of the file"},
		"qcow2 cluster unaligned":      {"qcow2", func(b []byte) []byte { be.PutUint64(b[l2:], 1<<63|0x50200); return b }, Damaged, "second-level entry"},
		"qcow2 cluster is the header":  {"qcow2", func(b []byte) []byte { copy(b[l2:], b[l2+16*8:][:8]); return b }, Damaged, "overlaps"},
		"qcow2 truncated":              {"qcow2", func(b []byte) []byte { return b[:len(b)-0x10000] }, Damaged, "outside of the file"},
		"qcow2 header only":            {"qcow2", func(b []byte) []byte { return b[:80] }, Damaged, "incomplete"},
		"qcow2 magic only":             {"qcow2", func(b []byte) []byte { return b[:4] }, Damaged, "incomplete"},
		"qcow2 not qcow2":              {"qcow2", func(b []byte) []byte { return make([]byte, 512) }, Refused, "not a qcow2 image"},
		"qcow2 another format":         {"qcow2", func(b []byte) []byte { return append([]byte("KDMV"), make([]byte, 508)...) }, Refused, "it is a VMDK image"},
		"qcow2 two formats":            {"qcow2", func(b []byte) []byte { copy(b[257:], "ustar"); return b }, Unnamed, "both a qcow2 image and a tar archive"},
	}
}
