package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/report"
)

// newClusterBits is the size of clusters in images made here: that of qemu-img.
const newClusterBits = 16

// Qcow2Size returns the size of the disk in the qcow2 image f, by its header alone, which
// must not need another file.
func Qcow2Size(f *os.File) (int64, error) {
	head := make([]byte, Sector)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("reading its header: %w", report.Bare(err))
	}
	if !isQcow2(head[:n]) {
		return 0, fmt.Errorf("%w: it is not a qcow2 image", ErrRefused)
	}
	h, err := parseQcow2(head[:n])
	if err != nil {
		return 0, err
	}
	return h.size, nil
}

// WriteQcow2 makes the empty file f a qcow2 image of a disk of size bytes that are all zero:
// a cluster for the header, one for the table of reference counts, one for the counts
// themselves, and the first-level table.
func WriteQcow2(f *os.File, size int64) error {
	const cluster = 1 << newClusterBits
	be := binary.BigEndian
	entries := (size + cluster*cluster/8 - 1) / (cluster * cluster / 8)
	table := (entries*8 + cluster - 1) / cluster // in clusters
	if size <= 0 || entries*8 > maxL1Bytes {
		return fmt.Errorf("%w: a disk of %d bytes", ErrRefused, size)
	}
	b := make([]byte, 3*cluster)
	copy(b, qcow2Magic)
	for at, n := range map[int]uint32{4: 3, 20: newClusterBits, 36: uint32(entries), 56: 1, 96: 4, 100: v3HeaderLength} {
		be.PutUint32(b[at:], n)
	}
	for at, n := range map[int]uint64{24: uint64(size), 40: 3 * cluster, 48: cluster, cluster: 2 * cluster} {
		be.PutUint64(b[at:], n)
	}
	for i := range 3 + table {
		be.PutUint16(b[2*cluster+i*2:], 1)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return report.Bare(err)
	}
	return report.Bare(f.Truncate((3 + table) * cluster))
}
