package images

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// States of an NTFS file system that Windows did not leave in order.
const (
	NTFSDirty      = "dirty"   // Windows is going to check it
	NTFSJournal    = "journal" // something is in the journal, which nothing can read
	NTFSReplay     = "replay"  // the journal has that Unplayed is to become Replayed
	NTFSFast       = "fast"    // Windows was shut down by fast startup
	NTFSHibernated = "hibernated"
	NTFSBad        = "bad"        // a cluster is in the list of bad ones
	NTFSEncrypted  = "encrypted"  // unattend.xml is
	NTFSCompressed = "compressed" // every file is
)

// HiberFile is what makes a file system a hibernated one.
func HiberFile(mark string) Entry {
	return Entry{Path: "hiberfil.sys", Data: mark + string(make([]byte, 8192-len(mark)))}
}

// setNTFSState brings a file system into a state. Structures are those of the documentation
// of the Linux NTFS project; all numbers are little-endian.
func setNTFSState(fs []byte, state string) error {
	switch state {
	case "", NTFSHibernated, NTFSCompressed:
		return nil
	case NTFSBad:
		return addBad(fs)
	case NTFSEncrypted:
		return encrypt(fs, "u\x00n\x00a\x00t\x00t\x00e\x00n\x00d\x00.\x00x\x00m\x00l")
	case NTFSDirty:
		const volume, information, flags = 3, 0x70, 10
		for _, table := range []int{48, 56} { // places of the table of files, and of its copy
			value, err := ntfsAttribute(fs, table, volume, information)
			if err != nil {
				return err
			}
			value[int(binary.LittleEndian.Uint16(value[20:]))+flags] |= 1
		}
		return nil
	}
	const log, data = 2, 0x80
	a, err := ntfsAttribute(fs, 48, log, data)
	if err != nil {
		return err
	}
	at := firstCluster(a) * ntfsClusterBytes(fs)
	major, minor := uint16(1), uint16(1)
	if state == NTFSFast {
		major, minor = 2, 0
	}
	page := restartPage(binary.LittleEndian.Uint64(a[48:]), major, minor)
	copy(fs[at:], page)
	copy(fs[at+ntfsPage:], page)
	if state == NTFSReplay {
		return addRecords(fs, fs[at:])
	}
	return nil
}

// addBad enters the last cluster but two into the list of bad ones, which is a file as long as
// the file system with nothing but a hole, and marks it as used.
func addBad(fs []byte) error {
	const bitmap, bad, data = 6, 8, 0x80
	a, err := ntfsAttribute(fs, 48, bad, data)
	if err != nil {
		return err
	}
	if a[8] == 0 { // the one without a name has no content
		a = a[binary.LittleEndian.Uint32(a[4:]):]
	}
	total := binary.LittleEndian.Uint64(a[24:]) + 1
	number := func(n uint64) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	runs := bytes.Join([][]byte{{0x04}, number(total - 3), {0x44}, number(1), number(total - 3), {0x04}, number(2), {0}}, nil)
	at, length := int(binary.LittleEndian.Uint16(a[32:])), int(binary.LittleEndian.Uint32(a[4:]))
	longer := (at + len(runs) + 7) &^ 7
	rest := bytes.Clone(a[length:][:8]) // the mark of the end
	copy(a[at:], runs)
	clear(a[at+len(runs) : longer])
	binary.LittleEndian.PutUint32(a[4:], uint32(longer))
	copy(a[longer:], rest)
	record := fs[binary.LittleEndian.Uint64(fs[48:])*ntfsClusterBytes(fs)+bad*1024:]
	binary.LittleEndian.PutUint32(record[24:], binary.LittleEndian.Uint32(record[24:])+uint32(longer-length))

	if a, err = ntfsAttribute(fs, 48, bitmap, data); err != nil {
		return err
	}
	at = int(firstCluster(a) * ntfsClusterBytes(fs))
	fs[at+int((total-3)/8)] |= 1 << ((total - 3) % 8)
	return nil
}

// firstCluster returns where the content of an attribute begins.
func firstCluster(a []byte) uint64 {
	runs := a[binary.LittleEndian.Uint16(a[32:]):]
	length, place := int(runs[0]&15), int(runs[0]>>4)
	cluster := make([]byte, 8)
	copy(cluster, runs[1+length:][:place])
	return binary.LittleEndian.Uint64(cluster)
}

func ntfsClusterBytes(fs []byte) uint64 {
	return uint64(binary.LittleEndian.Uint16(fs[11:])) * uint64(fs[13])
}

// ntfsAttribute returns the first attribute of a type in a record of the table of files whose
// place is a field of the boot sector.
func ntfsAttribute(fs []byte, table, record int, kind uint32) ([]byte, error) {
	const size = 1024
	at := binary.LittleEndian.Uint64(fs[table:])*ntfsClusterBytes(fs) + uint64(record*size)
	r := fs[at:][:size]
	if !bytes.HasPrefix(r, []byte("FILE")) {
		return nil, fmt.Errorf("record %d is not at byte %d", record, at)
	}
	for r = r[binary.LittleEndian.Uint16(r[20:]):]; binary.LittleEndian.Uint32(r) != kind; {
		n := binary.LittleEndian.Uint32(r[4:])
		if n == 0 || int(n) >= len(r) {
			return nil, fmt.Errorf("record %d has no attribute %#x", record, kind)
		}
		r = r[n:]
	}
	return r, nil
}

// restartPage returns a first page of a journal of that size that a client has open.
func restartPage(size uint64, major, minor uint16) []byte {
	const area, client = 0x30, 0x40
	p := make([]byte, ntfsPage)
	put16 := func(at int, values ...uint16) {
		for i, v := range values {
			binary.LittleEndian.PutUint16(p[at+2*i:], v)
		}
	}
	copy(p, "RSTR")
	put16(4, 0x1e, 9)
	binary.LittleEndian.PutUint32(p[16:], 4096)
	binary.LittleEndian.PutUint32(p[20:], 4096)
	put16(24, area, minor, major)
	bits := uint32(67)
	for n := size; n > 0; n >>= 1 {
		bits--
	}
	binary.LittleEndian.PutUint64(p[area:], 0x1000)
	put16(area+8, 1, 0xffff, 0, 0) // one client, none free, the first one in use, not clean
	binary.LittleEndian.PutUint32(p[area+16:], bits)
	put16(area+20, client+160, client)
	binary.LittleEndian.PutUint64(p[area+24:], size)
	put16(area+36, area, client)
	put16(area+client+16, 0xffff, 0xffff)
	binary.LittleEndian.PutUint32(p[area+client+28:], 8)
	copy(p[area+client+32:], "N\x00T\x00F\x00S\x00")
	protect(p, 0x1e)
	return p
}

// protect keeps the last two bytes of each sector of a page at a place, where the number that
// is there in their stead comes before.
func protect(p []byte, at int) {
	binary.LittleEndian.PutUint16(p[at:], 1)
	for i := range len(p) / 512 {
		end := p[512*i+510:][:2]
		copy(p[at+2+2*i:], end)
		copy(end, p[at:])
	}
}
