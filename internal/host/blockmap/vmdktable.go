package blockmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// readFooter reads the header again, which stands behind the grains with the place of the
// directory, between two markers.
func (h *vmdkHead) readFooter(in *file) error {
	b := make([]byte, 3*sector)
	if in.size < int64(len(b)) {
		return ErrTruncated
	}
	if err := in.read(b, in.size-int64(len(b))); err != nil {
		return err
	}
	marker, footer, end := b[:sector], b[sector:2*sector], b[2*sector:]
	if binary.LittleEndian.Uint32(marker[12:]) != markerFooter || len(bytes.Trim(end, "\x00")) > 0 {
		return fmt.Errorf("its footer is not at its end: %w", ErrTruncated)
	}
	f, err := parseVMDK(footer)
	if err != nil {
		return fmt.Errorf("its footer: %w", err)
	}
	if f.size != h.size || f.grain != h.grain || f.flags != h.flags || f.directory == 0 {
		return fmt.Errorf("%w: its footer differs from its header", ErrDamaged)
	}
	h.directory = f.directory
	return nil
}

// entry returns entry i of the table at off, and how many entries from it on are known to
// be zero, if it is.
func entry(in *file, off, i int64) (n, zeros int64, err error) {
	at := off + i*4
	b, err := in.table(at/sector*sector, sector)
	if err != nil {
		return 0, 0, err
	}
	rest := b[at%sector:]
	if n = int64(binary.LittleEndian.Uint32(rest)); n == 0 && bytes.Equal(rest, zeroPage[:len(rest)]) {
		return 0, int64(len(rest) / 4), nil
	}
	return n, 1, nil
}

// find returns where a grain is.
func (h *vmdkHead) find(in *file, i int64) (place, error) {
	table, k := i/vmdkPerTable, i%vmdkPerTable
	at, zeros, err := entry(in, h.directory, table)
	if err != nil {
		return place{}, err
	}
	if at == 0 {
		return nowhere(zeros*vmdkPerTable - k), nil
	}
	at, zeros, err = entry(in, at*sector, k)
	switch {
	case err != nil:
		return place{}, err
	case at == 0:
		return nowhere(min(zeros, vmdkPerTable-k)), nil
	case at == 1 && h.flags&vmdkZeroGrains != 0:
		return nowhere(1), nil
	}
	return place{at: at * sector}, nil
}

// checkTables refuses grain tables that are in each other, in what else is known, or outside
// of the file.
func (h *vmdkHead) checkTables(in *file) error {
	areas := h.areas()
	if err := apart(in.size, areas); err != nil {
		return err
	}
	var all []uint32
	for i := int64(0); i < h.tables(); {
		at, zeros, err := entry(in, h.directory, i)
		if err != nil {
			return err
		}
		i += zeros
		if at == 0 {
			continue
		}
		table := area{"a grain table", at * sector, vmdkTable}
		if err := table.fits(in.size, areas); err != nil {
			return err
		}
		if !h.compressed() && table.at+table.length > h.overhead {
			return fmt.Errorf("%w: a grain table at %#x is among the grains", ErrDamaged, table.at)
		}
		all = append(all, uint32(at))
	}
	slices.Sort(all)
	for i := range all {
		if i > 0 && all[i]-all[i-1] < vmdkTable/sector {
			return fmt.Errorf("%w: a grain table at %#x overlaps another one", ErrDamaged, int64(all[i])*sector)
		}
	}
	return nil
}

// checkInside refuses compressed grains that begin outside of the file. How long they are
// and to which part of the disk they belong stands before each, and is checked when it is
// read.
func (m *Image) checkInside() error {
	for i := int64(0); i < m.blocks(); {
		p, err := m.find(i)
		if err != nil {
			return err
		}
		if p.at > m.file.size-markerLength {
			return fmt.Errorf("%w: a grain at %#x lies outside of the file", ErrDamaged, p.at)
		}
		i += max(p.span, 1)
	}
	return nil
}
