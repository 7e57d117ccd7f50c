// Package vmdk makes stream-optimized VMDK images as export to OVA makes them: written in one
// pass, with the tables among the grains and the directory named in a footer at the end.
// qemu-img reads such images and does not write them.
package vmdk

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
)

const (
	sector   = 512
	grain    = 128 // sectors
	perTable = 512
	overhead = 128 // sectors
)

// writer is an image in the making.
type writer struct {
	bytes.Buffer
	tables []uint32
	table  [perTable]uint32
	used   bool
}

// StreamOptimized returns an image of disk, whose length is whole sectors.
func StreamOptimized(disk []byte) []byte {
	w := new(writer)
	capacity := uint64(len(disk) / sector)
	w.Write(header(capacity, 1<<64-1))
	w.WriteString(descriptor(capacity))
	w.pad(overhead * sector)
	for n := 0; n*grain*sector < len(disk); n++ {
		w.grain(n, disk[n*grain*sector:min(len(disk), (n+1)*grain*sector)])
		if n%perTable == perTable-1 {
			w.endTable()
		}
	}
	if len(disk)%(perTable*grain*sector) != 0 {
		w.endTable()
	}
	size := (len(w.tables)*4 + sector - 1) / sector
	w.marker(uint64(size), 2)
	directory := uint64(w.Len() / sector)
	for _, at := range w.tables {
		w.u32(at)
	}
	w.pad(sector)
	w.marker(1, 3)
	w.Write(header(capacity, directory))
	w.marker(0, 0)
	return w.Bytes()
}

// grain adds what is not zero of a grain.
func (w *writer) grain(n int, data []byte) {
	if len(bytes.Trim(data, "\x00")) == 0 {
		return
	}
	w.table[n%perTable], w.used = uint32(w.Len()/sector), true
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(append(bytes.Clone(data), make([]byte, grain*sector-len(data))...)) // a Buffer takes everything
	_ = z.Close()
	w.u64(uint64(n * grain))
	w.u32(uint32(packed.Len()))
	w.Write(packed.Bytes())
	w.pad(sector)
}

// endTable adds the table of the last grains, if there are any.
func (w *writer) endTable() {
	if !w.used {
		w.tables = append(w.tables, 0)
		return
	}
	w.marker(perTable*4/sector, 1)
	w.tables = append(w.tables, uint32(w.Len()/sector))
	for _, at := range w.table {
		w.u32(at)
	}
	w.table, w.used = [perTable]uint32{}, false
}

func (w *writer) marker(sectors uint64, kind uint32) {
	w.u64(sectors)
	w.u32(0)
	w.u32(kind)
	w.pad(sector)
}

func (w *writer) pad(to int) {
	for w.Len()%to != 0 {
		w.WriteByte(0)
	}
}

func (w *writer) u32(n uint32) { w.Write(binary.LittleEndian.AppendUint32(nil, n)) }
func (w *writer) u64(n uint64) { w.Write(binary.LittleEndian.AppendUint64(nil, n)) }

// header returns the header, or the footer, which names the directory.
func header(capacity, directory uint64) []byte {
	w := new(writer)
	w.WriteString("KDMV")
	w.u32(3)
	w.u32(0x30001)
	for _, n := range []uint64{capacity, grain, 1, 20} {
		w.u64(n)
	}
	w.u32(perTable)
	for _, n := range []uint64{0, directory, overhead} {
		w.u64(n)
	}
	w.WriteString("\x00\n \r\n\x01\x00")
	w.pad(sector)
	return w.Bytes()
}

func descriptor(capacity uint64) string {
	return fmt.Sprintf("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n\n"+
		"# Extent description\nRDONLY %d SPARSE \"disk.vmdk\"\n\nddb.adapterType = \"lsilogic\"\n", capacity)
}
