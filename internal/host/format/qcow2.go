package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/report"
)

// qcow2 is an image of QEMU's copy-on-write format, version 2 or 3 (QEMU,
// docs/interop/qcow2). Only what is in the file itself is read: an image with a backing
// file or an external data file is refused. Every table entry that can be reached has
// been checked when openQcow2 returns.
type qcow2 struct {
	f         *os.File
	fileSize  int64
	header    qcow2Header
	l1        []uint64 // offsets of L2 tables, 0 for none
	tables    tableCache
	unpackers unpackers
}

var _ Disk = (*qcow2)(nil)

// Bounds of a qcow2 image, most of them those of QEMU.
const (
	qcow2Magic      = "QFI\xfb"
	minClusterBits  = 9
	maxClusterBits  = 21
	maxQcow2Disk    = 1 << 50
	maxL1Bytes      = 32 << 20
	maxSnapshots    = 65536
	snapshotEntry   = 40 // bytes, at least
	v2HeaderLength  = 72
	v3HeaderLength  = 104
	subclusters     = 32 // in a cluster with an extended L2 entry
	minExtendedBits = 14
)

// Bits of incompatible_features.
const (
	bitDirty       = 1 << 0 // reference counts may be wrong, which are not read
	bitCorrupt     = 1 << 1
	bitDataFile    = 1 << 2
	bitCompression = 1 << 3
	bitExtendedL2  = 1 << 4
)

// qcow2Header is the part of the header that matters.
type qcow2Header struct {
	version        uint32
	clusterBits    uint32
	size           int64
	l1Entries      uint32
	l1Offset       int64
	refcountOffset int64
	refcountLength int64
	snapshots      uint32
	snapshotOffset int64
	features       uint64 // incompatible ones
	zstd           bool
}

func (h *qcow2Header) cluster() int64 { return 1 << h.clusterBits }
func (h *qcow2Header) extended() bool { return h.features&bitExtendedL2 != 0 }

// perTable returns how many clusters an L2 table describes.
func (h *qcow2Header) perTable() int64 {
	if h.extended() {
		return h.cluster() / 16
	}
	return h.cluster() / 8
}

func isQcow2(head []byte) bool { return bytes.HasPrefix(head, []byte(qcow2Magic)) }

// mostQcow2 bounds the length of a qcow2 file by its header: the disk, its tables and
// reference counts, which take a 24th of it where clusters are smallest, and something
// for a short disk.
func mostQcow2(head []byte) (file, disk int64, err error) {
	h, err := parseQcow2(head)
	if err != nil {
		return 0, 0, err
	}
	return h.size + h.size/16 + 64<<20, h.size, nil
}

// parseQcow2 reads a header and refuses by name what is not to be had.
func parseQcow2(head []byte) (*qcow2Header, error) {
	if len(head) < v2HeaderLength || !isQcow2(head) {
		return nil, fmt.Errorf("%w: its header is incomplete", ErrDamaged)
	}
	be := binary.BigEndian
	h := &qcow2Header{
		version: be.Uint32(head[4:]), clusterBits: be.Uint32(head[20:]), l1Entries: be.Uint32(head[36:]), snapshots: be.Uint32(head[60:]),
	}
	switch {
	case h.version != 2 && h.version != 3:
		return nil, fmt.Errorf("%w: qcow2 version %d is unknown", ErrRefused, h.version)
	case h.version == 3 && len(head) < v3HeaderLength:
		return nil, fmt.Errorf("%w: its header is incomplete", ErrDamaged)
	case be.Uint64(head[8:]) != 0:
		return nil, fmt.Errorf("%w: it has a backing file, and an image must hold its whole disk", ErrRefused)
	case be.Uint32(head[32:]) != 0:
		return nil, fmt.Errorf("%w: it is encrypted", ErrRefused)
	case h.clusterBits < minClusterBits || h.clusterBits > maxClusterBits:
		return nil, fmt.Errorf("%w: clusters of 2^%d bytes", ErrDamaged, h.clusterBits)
	}
	if err := h.parseFeatures(head); err != nil {
		return nil, err
	}
	return h, h.parseSizes(head)
}

// parseFeatures reads what version 3 added.
func (h *qcow2Header) parseFeatures(head []byte) error {
	if h.version < 3 {
		return nil
	}
	be := binary.BigEndian
	h.features = be.Uint64(head[72:])
	length := be.Uint32(head[100:])
	compression := byte(0)
	if length > v3HeaderLength && len(head) > v3HeaderLength {
		compression = head[v3HeaderLength]
	}
	known := uint64(bitDirty | bitCorrupt | bitDataFile | bitCompression | bitExtendedL2)
	switch {
	case h.features&bitDataFile != 0:
		return fmt.Errorf("%w: it has an external data file, and an image must hold its whole disk", ErrRefused)
	case h.features&bitCorrupt != 0:
		return fmt.Errorf("%w: it is marked as corrupt", ErrDamaged)
	case h.features&^known != 0:
		return fmt.Errorf("%w: it uses features this version does not know (bits %#x)", ErrRefused, h.features&^known)
	case length < v3HeaderLength || length > uint32(h.cluster()) || length%8 != 0:
		return fmt.Errorf("%w: a header of %d bytes", ErrDamaged, length)
	case be.Uint32(head[96:]) > 6:
		return fmt.Errorf("%w: reference counts of 2^%d bits", ErrDamaged, be.Uint32(head[96:]))
	case h.extended() && h.clusterBits < minExtendedBits:
		return fmt.Errorf("%w: extended L2 entries in clusters of %d bytes", ErrDamaged, h.cluster())
	case compression > 1 || (compression != 0) != (h.features&bitCompression != 0):
		return fmt.Errorf("%w: it is compressed by an unknown method (%d)", ErrRefused, compression)
	}
	h.zstd = compression == 1
	return nil
}

// parseSizes reads sizes and offsets, and refuses those that do not fit together.
func (h *qcow2Header) parseSizes(head []byte) error {
	be := binary.BigEndian
	size, clusters := be.Uint64(head[24:]), be.Uint32(head[56:])
	if size == 0 || size > maxQcow2Disk {
		return fmt.Errorf("%w: a disk of %d bytes", ErrRefused, size)
	}
	h.size = int64(size)
	if err := checkLength(h.size); err != nil {
		return err
	}
	need := (h.size + h.cluster()*h.perTable() - 1) / (h.cluster() * h.perTable())
	switch {
	case int64(h.l1Entries)*8 > maxL1Bytes:
		return fmt.Errorf("%w: a first-level table of %d entries", ErrRefused, h.l1Entries)
	case int64(h.l1Entries) < need:
		return fmt.Errorf("%w: its first-level table of %d entries does not reach to the end of its disk", ErrDamaged, h.l1Entries)
	case h.snapshots > maxSnapshots:
		return fmt.Errorf("%w: %d snapshots", ErrRefused, h.snapshots)
	}
	h.refcountLength = int64(clusters) * h.cluster()
	for _, o := range []struct {
		name string
		at   int
		to   *int64
	}{{"first-level table", 40, &h.l1Offset}, {"table of reference counts", 48, &h.refcountOffset}, {"table of snapshots", 64, &h.snapshotOffset}} {
		at := be.Uint64(head[o.at:])
		if at%uint64(h.cluster()) != 0 || at > maxQcow2Disk {
			return fmt.Errorf("%w: its %s is at %#x", ErrDamaged, o.name, at)
		}
		*o.to = int64(at)
	}
	return nil
}

// openQcow2 opens the qcow2 image in f and checks all of its tables.
func openQcow2(f *os.File) (Disk, error) {
	head := make([]byte, v3HeaderLength+8)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading its header: %w", report.Bare(err))
	}
	h, err := parseQcow2(head[:n])
	if err != nil {
		return nil, err
	}
	q := &qcow2{f: f, header: *h}
	if q.fileSize, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("measuring the image: %w", report.Bare(err))
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return q, nil
}

// Size returns the virtual size.
func (q *qcow2) Size() int64 { return q.header.size }
