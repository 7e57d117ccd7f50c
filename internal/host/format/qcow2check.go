package format

import (
	"bytes"
	"fmt"
)

// maxHostClusters bounds the memory for the check: two bits for each cluster of the
// file.
const maxHostClusters = 1 << 28

// usage is which clusters of the file are taken. What is compressed may share a cluster
// with other compressed data, and nothing else shares one.
type usage struct {
	bits     uint32
	size     int64    // of the file
	alone    []uint64 // bit sets
	together []uint64
}

func newUsage(fileSize int64, bits uint32) (*usage, error) {
	n := fileSize>>bits + 1
	if n > maxHostClusters {
		return nil, fmt.Errorf("%w: a file of %d bytes in clusters of %d is too large", ErrRefused, fileSize, int64(1)<<bits)
	}
	return &usage{bits: bits, size: fileSize, alone: make([]uint64, n/64+1), together: make([]uint64, n/64+1)}, nil
}

// take takes n bytes at off, which must lie in the file.
func (u *usage) take(what string, off, n int64, alone bool) error {
	if off < 0 || n < 0 || off > u.size-n {
		return fmt.Errorf("%w: %s at %#x with %d bytes lies outside of the file", ErrDamaged, what, off, n)
	}
	if n == 0 {
		return nil
	}
	for c := off >> u.bits; c <= (off+n-1)>>u.bits; c++ {
		i, bit := c/64, uint64(1)<<(c%64)
		if u.alone[i]&bit != 0 || alone && u.together[i]&bit != 0 {
			return fmt.Errorf("%w: %s at %#x overlaps something else", ErrDamaged, what, off)
		}
		if alone {
			u.alone[i] |= bit
		} else {
			u.together[i] |= bit
		}
	}
	return nil
}

// check reads every table and refuses what does not fit together.
func (q *qcow2) check() error {
	h := &q.header
	u, err := newUsage(q.fileSize, h.clusterBits)
	if err != nil {
		return err
	}
	if err := q.takeTables(u); err != nil {
		return err
	}
	if err := q.readL1(); err != nil {
		return err
	}
	for i, at := range q.l1 {
		if at == 0 {
			continue
		}
		if err := u.take("a second-level table", at64(at), h.cluster(), true); err != nil {
			return err
		}
		if err := q.checkTable(u, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// takeTables takes what the header names.
func (q *qcow2) takeTables(u *usage) error {
	h := &q.header
	if err := u.take("the header", 0, min(h.cluster(), q.fileSize), true); err != nil {
		return err
	}
	if err := u.take("the first-level table", h.l1Offset, int64(h.l1Entries)*8, true); err != nil {
		return err
	}
	if err := u.take("the table of reference counts", h.refcountOffset, h.refcountLength, true); err != nil {
		return err
	}
	if h.snapshots > 0 {
		return u.take("the table of snapshots", h.snapshotOffset, int64(h.snapshots)*snapshotEntry, true)
	}
	return nil
}

// checkTable checks the second-level table i. One that is empty is as good as none, and is
// not looked at again; where it is a hole of the file, it is not even read.
func (q *qcow2) checkTable(u *usage, i int64) error {
	h := &q.header
	if hole(q.f, at64(q.l1[i]), h.cluster()) {
		q.l1[i] = 0
		return nil
	}
	t, err := q.table(i)
	if err != nil {
		return err
	}
	if len(bytes.TrimLeft(t, "\x00")) == 0 {
		q.l1[i] = 0
		return nil
	}
	for k := range h.perTable() {
		off := (i*h.perTable() + k) * h.cluster()
		if off >= h.size {
			break // what is behind the end of the disk is not looked at by anybody
		}
		c, err := q.entry(t, k)
		if err != nil {
			return fmt.Errorf("%w (at %#x of the disk)", err, off)
		}
		if c.packed {
			err = u.take("a compressed cluster", c.at, min(c.length, q.fileSize-c.at), false)
			if c.at >= q.fileSize {
				err = fmt.Errorf("%w: a compressed cluster at %#x lies outside of the file", ErrDamaged, c.at)
			}
		} else if c.at != 0 {
			err = u.take("a cluster", c.at, c.need(min(h.cluster(), h.size-off), h.cluster()/subclusters), true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
