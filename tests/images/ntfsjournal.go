package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// ntfsPage is the size of a page of the journal, in bytes.
const ntfsPage = 4096

// Unplayed is the content of a file, too long to lie in the table of files, and Replayed what
// it is once the journal of NTFSReplay was replayed.
var (
	Unplayed = strings.Repeat("not yet. ", 200)
	Replayed = "replayed" + Unplayed[8:]
)

// The numbers of the records of that journal. What comes after synced is not in the file
// system, up to committed Windows meant it to be.
const (
	synced    = 0x10_0000 + 8*iota
	updated   // the record with the change
	committed // the record that ends the transaction
)

// addRecords puts the change of a file into a journal: it lies in the third page, which is a
// copy of the sixth; the fifth, before that, is full.
func addRecords(fs, journal []byte) error {
	at := bytes.Index(fs, []byte(Unplayed[:512]))
	if at < 0 || uint64(at)%ntfsClusterBytes(fs) != 0 {
		return errors.New("no file has the content that the journal is to change")
	}
	for n := range 2 { // the restart pages
		const area, client = 0x30, 0x40
		p := journal[ntfsPage*n:][:ntfsPage]
		binary.LittleEndian.PutUint64(p[area:], committed)
		binary.LittleEndian.PutUint64(p[area+client:], synced)
		binary.LittleEndian.PutUint64(p[area+client+8:], committed)
	}
	const update, forget, transaction = 8, 27, 0x18
	checkpoint := logRecord(synced, 2, 0, 0, 0x68)
	change := logRecord(updated, 1, transaction, update, 0x30)
	put16 := func(at int, v int) { binary.LittleEndian.PutUint16(change[at:], uint16(v)) }
	put16(52, 0x28) // where the data are, behind the number of the cluster
	put16(54, 8)    // and how long
	put16(56, 0x28)
	put16(62, 1)
	binary.LittleEndian.PutUint64(change[80:], uint64(at)/ntfsClusterBytes(fs))
	copy(change[88:], Replayed)
	end := logRecord(committed, 1, transaction, forget, 0x28)

	copy(journal[4*ntfsPage:], recordPage(0, ntfsPage, nil))
	records := bytes.Join([][]byte{checkpoint, change, end}, nil)
	copy(journal[2*ntfsPage:], recordPage(5*ntfsPage, recordsAt+len(records), records))
	return nil
}

// encrypt marks the file of a name, in UTF-16, as encrypted. Its content has to be too long for
// the table of files.
func encrypt(fs []byte, name string) error {
	const standard, data, encrypted = 0x10, 0x80, 0x4000
	table := fs[binary.LittleEndian.Uint64(fs[48:])*ntfsClusterBytes(fs):]
	for record := 24; record < 200; record++ {
		if !bytes.Contains(table[1024*record:][:1024], []byte(name)) {
			continue
		}
		a, err := ntfsAttribute(fs, 48, record, standard)
		if err != nil {
			return err
		}
		flags := a[binary.LittleEndian.Uint16(a[20:])+32:]
		binary.LittleEndian.PutUint32(flags, binary.LittleEndian.Uint32(flags)|encrypted)
		if a, err = ntfsAttribute(fs, 48, record, data); err == nil {
			binary.LittleEndian.PutUint16(a[12:], encrypted)
		}
		return err
	}
	return errors.New("no record has that name")
}

// recordsAt is where the records of a page begin.
const recordsAt = 0x40

// recordPage returns a page of records, which end at a place. A copy of it in front says
// where the page itself lies.
func recordPage(place, end int, records []byte) []byte {
	p := make([]byte, ntfsPage)
	copy(p, "RCRD")
	binary.LittleEndian.PutUint16(p[4:], 0x28)
	binary.LittleEndian.PutUint16(p[6:], 9)
	binary.LittleEndian.PutUint64(p[8:], uint64(place))
	binary.LittleEndian.PutUint32(p[16:], 1) // a record ends here
	binary.LittleEndian.PutUint16(p[20:], 1)
	binary.LittleEndian.PutUint16(p[22:], 1)
	binary.LittleEndian.PutUint16(p[24:], uint16(end))
	binary.LittleEndian.PutUint64(p[32:], committed)
	copy(p[recordsAt:], records)
	protect(p, 0x28)
	return p
}

// logRecord returns a record of a kind, of a transaction, with what is to be done and so many
// bytes of data about that.
func logRecord(lsn uint64, kind, transaction uint32, redo uint16, data int) []byte {
	r := make([]byte, 0x30+data)
	binary.LittleEndian.PutUint64(r, lsn)
	binary.LittleEndian.PutUint32(r[24:], uint32(data))
	binary.LittleEndian.PutUint32(r[32:], kind)
	binary.LittleEndian.PutUint32(r[36:], transaction)
	binary.LittleEndian.PutUint16(r[48:], redo)
	return r
}
