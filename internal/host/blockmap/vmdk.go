package blockmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// Fields of the header of a sparse VMDK extent and what they hold (VMware, Virtual Disk
// Format 5.0, "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse Extents"). All
// numbers are little-endian, and lengths are in sectors.
const (
	vmdkMagic       = "KDMV"
	vmdkNewlines    = 1 << 0 // flags
	vmdkSecondTable = 1 << 1
	vmdkZeroGrains  = 1 << 2
	vmdkCompressed  = 1 << 16
	vmdkMarkers     = 1 << 17
	vmdkKnown       = vmdkNewlines | vmdkSecondTable | vmdkZeroGrains | vmdkCompressed | vmdkMarkers
	vmdkAtEnd       = 1<<64 - 1 // the directory is where the footer says
	vmdkPerTable    = 512
	vmdkTable       = vmdkPerTable * 4 // bytes
	minGrain        = 4 << 10
	maxGrain        = 4 << 20
	maxDescriptor   = 1 << 20
	maxVMDKTables   = 8 << 20
)

// vmdkHead is the part of the header that matters, in bytes.
type vmdkHead struct {
	flags      uint32
	size       int64
	grain      int64
	descriptor region
	directory  int64 // 0 where the footer tells
	overhead   int64 // what the tables before the first grain take
}

func (h *vmdkHead) compressed() bool { return h.flags&vmdkCompressed != 0 }

// tables returns how many grain tables there are.
func (h *vmdkHead) tables() int64 { return blocks(h.size, h.grain*vmdkPerTable) }

// IsVMDK reports whether a file that begins with head is a sparse VMDK extent.
func IsVMDK(head []byte) bool { return bytes.HasPrefix(head, []byte(vmdkMagic)) }

// MostVMDK returns how long a file that begins with head can be at most, and the size of its
// disk.
func MostVMDK(head []byte) (file, disk int64, err error) {
	h, err := parseVMDK(head)
	if err != nil {
		return 0, 0, err
	}
	return most(h.size, h.grain), h.size, nil
}

// parseVMDK reads a header and refuses by name what is not to be had.
func parseVMDK(head []byte) (*vmdkHead, error) {
	if len(head) < sector || !IsVMDK(head) {
		return nil, fmt.Errorf("%w: its header is incomplete", ErrDamaged)
	}
	le := binary.LittleEndian
	h := &vmdkHead{flags: le.Uint32(head[8:])}
	version, perTable, method := le.Uint32(head[4:]), le.Uint32(head[44:]), le.Uint16(head[77:])
	switch {
	case version < 1 || version > 3:
		return nil, fmt.Errorf("%w: VMDK version %d is unknown", ErrRefused, version)
	case h.flags&^vmdkKnown != 0:
		return nil, fmt.Errorf("%w: it uses features this version does not know (bits %#x)", ErrRefused, h.flags&^vmdkKnown)
	case h.flags&vmdkNewlines != 0 && string(head[73:77]) != "\n \r\n":
		return nil, fmt.Errorf("%w: it was transferred as text", ErrDamaged)
	case h.compressed() != (h.flags&vmdkMarkers != 0), h.compressed() != (method == 1), method > 1:
		return nil, fmt.Errorf("%w: it is compressed by an unknown method (%d, flags %#x)", ErrRefused, method, h.flags)
	case perTable != vmdkPerTable:
		return nil, fmt.Errorf("%w: tables of %d grains", ErrRefused, perTable)
	}
	if err := h.parseSizes(head); err != nil {
		return nil, err
	}
	if h.descriptor.at == 0 {
		return nil, notAlone()
	}
	return h, nil
}

// parseSizes reads what is counted in sectors.
func (h *vmdkHead) parseSizes(head []byte) error {
	le := binary.LittleEndian
	capacity, grain, directory := le.Uint64(head[12:]), le.Uint64(head[20:]), le.Uint64(head[56:])
	if capacity > maxDisk/sector {
		return fmt.Errorf("%w: a disk of %d sectors", ErrRefused, capacity)
	}
	if err := checkSize(capacity * sector); err != nil {
		return err
	}
	if !powerOfTwo(grain) || grain < minGrain/sector || grain > maxGrain/sector {
		return fmt.Errorf("%w: grains of %d sectors", ErrRefused, grain)
	}
	h.size, h.grain = int64(capacity)*sector, int64(grain)*sector
	if h.tables() > maxVMDKTables {
		return fmt.Errorf("%w: %d grain tables", ErrRefused, h.tables())
	}
	if h.compressed() && directory == vmdkAtEnd {
		directory = 0
	} else if directory == 0 {
		return fmt.Errorf("%w: it has no grain directory", ErrDamaged)
	}
	for _, o := range []struct {
		name string
		n    uint64
		to   *int64
	}{
		{"descriptor", le.Uint64(head[28:]), &h.descriptor.at},
		{"descriptor's length", le.Uint64(head[36:]), &h.descriptor.length},
		{"grain directory", directory, &h.directory},
		{"first grain", le.Uint64(head[64:]), &h.overhead},
	} {
		if o.n > maxDisk/sector {
			return fmt.Errorf("%w: its %s is at sector %d", ErrDamaged, o.name, o.n)
		}
		*o.to = int64(o.n) * sector
	}
	if h.descriptor.length > maxDescriptor {
		return fmt.Errorf("%w: a descriptor of %d bytes", ErrRefused, h.descriptor.length)
	}
	return nil
}

// StreamsVMDK reports whether the disk of a file that begins with head can be read in one
// pass: its grains are compressed and each tells where it belongs.
func StreamsVMDK(head []byte) bool {
	h, err := parseVMDK(head)
	return err == nil && h.compressed() && h.directory == 0
}

// OpenVMDK opens the sparse VMDK image in f.
func OpenVMDK(f *os.File) (*Image, error) {
	in, head, err := open(f)
	if err != nil {
		return nil, err
	}
	h, err := parseVMDK(head)
	if err != nil {
		return nil, err
	}
	text := make([]byte, h.descriptor.length)
	if err := in.read(text, h.descriptor.at); err != nil {
		return nil, fmt.Errorf("reading its descriptor: %w", err)
	}
	if err := checkDescriptor(text, h.size); err != nil {
		return nil, err
	}
	if h.directory == 0 {
		if err := h.readFooter(in); err != nil {
			return nil, err
		}
	}
	m := &Image{file: in, size: h.size, block: h.grain, find: func(i int64) (place, error) { return h.find(in, i) }}
	if err := h.checkTables(in); err != nil {
		return nil, err
	}
	if h.compressed() {
		m.unpack = newGrains(in, h).unpack
		return m, m.checkInside()
	}
	return m, m.check([]area{{"the tables", 0, h.overhead}}, 0, sector)
}

// areas returns what there is besides grains and grain tables.
func (h *vmdkHead) areas() []area {
	return []area{
		{"the header", 0, sector}, {"the descriptor", h.descriptor.at, h.descriptor.length}, {"the grain directory", h.directory, h.tables() * 4},
	}
}
