package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"snf-image/internal/host/blockmap"
)

// Fields of table entries.
const (
	offsetMask     = 0x00fffffffffffe00 // of an L1 entry and of a standard cluster
	l1Reserved     = 0x7f000000000001ff
	l2Reserved     = 0x3f000000000001fe // of a standard cluster
	zeroFlag       = 1 << 0
	compressedFlag = 1 << 62
	cacheBytes     = 16 << 20 // of L2 tables
)

// cluster is where the bytes of a cluster of the disk are.
type cluster struct {
	at     int64 // in the file; 0 for none
	packed bool  // compressed
	length int64 // of compressed bytes, with what is behind them up to the sector's end
	data   uint32
	// Bit i of data: subcluster i holds data. Without extended L2 entries all bits are
	// the same.
}

const allData = 1<<subclusters - 1

// need returns how many of the n bytes of a cluster must be in the file.
func (c cluster) need(n, sub int64) int64 {
	return min(n, int64(subclusters-bits.LeadingZeros32(c.data))*max(sub, 1))
}

// readL1 reads the first-level table.
func (q *qcow2) readL1() error {
	h := &q.header
	need := (h.size + h.cluster()*h.perTable() - 1) / (h.cluster() * h.perTable())
	b := make([]byte, need*8)
	if err := q.read(b, h.l1Offset); err != nil {
		return fmt.Errorf("reading its first-level table: %w", err)
	}
	q.l1 = make([]uint64, need)
	for i := range q.l1 {
		e := binary.BigEndian.Uint64(b[i*8:])
		at := e & offsetMask
		if e&l1Reserved != 0 || at%uint64(h.cluster()) != 0 {
			return fmt.Errorf("%w: entry %d of its first-level table is %#x", ErrDamaged, i, e)
		}
		q.l1[i] = at
	}
	return nil
}

func at64(n uint64) int64 { return int64(n) }

func (q *qcow2) read(p []byte, off int64) error { return blockmap.ReadFull(q.f, p, off) }

// tableCache keeps the second-level tables that were read last.
type tableCache struct {
	mu     sync.Mutex
	tables map[int64][]byte
	order  []int64
}

// table returns the second-level table i, which exists.
func (q *qcow2) table(i int64) ([]byte, error) {
	c := &q.tables
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.tables[i]; ok {
		return t, nil
	}
	if c.tables == nil {
		c.tables = map[int64][]byte{}
	}
	size := q.header.cluster()
	t := make([]byte, size)
	if n := len(c.order); n > 0 && int64(n+1)*size > cacheBytes {
		delete(c.tables, c.order[0])
		c.order = c.order[1:]
	}
	if err := q.read(t, at64(q.l1[i])); err != nil {
		return nil, fmt.Errorf("reading a second-level table: %w", err)
	}
	c.tables[i], c.order = t, append(c.order, i)
	return t, nil
}

// lookup returns where the cluster with that number is.
func (q *qcow2) lookup(number int64) (cluster, error) {
	i, k := number/q.header.perTable(), number%q.header.perTable()
	if q.l1[i] == 0 {
		return cluster{}, nil
	}
	t, err := q.table(i)
	if err != nil {
		return cluster{}, err
	}
	return q.entry(t, k)
}

// entry decodes entry k of a second-level table.
func (q *qcow2) entry(t []byte, k int64) (cluster, error) {
	h := &q.header
	if !h.extended() {
		return h.entry(binary.BigEndian.Uint64(t[k*8:]))
	}
	return h.extendedEntry(binary.BigEndian.Uint64(t[k*16:]), binary.BigEndian.Uint64(t[k*16+8:]))
}

// entry decodes a standard second-level entry.
func (h *qcow2Header) entry(e uint64) (cluster, error) {
	if e&compressedFlag != 0 {
		return h.compressed(e), nil
	}
	at := e & offsetMask
	switch {
	case e&l2Reserved != 0 || at%uint64(h.cluster()) != 0, e&zeroFlag != 0 && h.version < 3:
		return cluster{}, fmt.Errorf("%w: a second-level entry is %#x", ErrDamaged, e)
	case at == 0 || e&zeroFlag != 0:
		return cluster{}, nil
	}
	return cluster{at: at64(at), data: allData}, nil
}

// extendedEntry decodes an entry with a bitmap: its low half says which subclusters have
// data, its high half which are zero.
func (h *qcow2Header) extendedEntry(e, bitmap uint64) (cluster, error) {
	if e&compressedFlag != 0 {
		if bitmap != 0 {
			return cluster{}, fmt.Errorf("%w: a compressed cluster has a bitmap %#x", ErrDamaged, bitmap)
		}
		return h.compressed(e), nil
	}
	at, data, zero := e&offsetMask, uint32(bitmap), uint32(bitmap>>32)
	switch {
	case e&(l2Reserved|zeroFlag) != 0 || at%uint64(h.cluster()) != 0:
		return cluster{}, fmt.Errorf("%w: a second-level entry is %#x", ErrDamaged, e)
	case data&zero != 0 || data != 0 && at == 0:
		return cluster{}, fmt.Errorf("%w: a second-level entry at %#x has the bitmap %#x", ErrDamaged, at, bitmap)
	case data == 0:
		return cluster{}, nil
	}
	return cluster{at: at64(at), data: data}, nil
}

// compressed decodes the descriptor of a compressed cluster.
func (h *qcow2Header) compressed(e uint64) cluster {
	x := 62 - (h.clusterBits - 8)
	at := e & (1<<x - 1)
	sectors := e >> x & (1<<(h.clusterBits-8) - 1)
	return cluster{at: at64(at), packed: true, length: at64((sectors+1)*Sector - at%Sector), data: allData}
}
