package bunzip

import "encoding/binary"

// recency is bytes in the order in which they were taken last.
type recency struct {
	first uint64 // the newest eight, which are taken most, in the lowest bits
	rest  [256]byte
}

// start sets what there is, the newest first.
func (r *recency) start(b []byte) {
	r.first = binary.LittleEndian.Uint64(b)
	copy(r.rest[:], b[8:])
}

// newest returns the byte that was taken last.
func (r *recency) newest() byte { return byte(r.first) }

// take returns the byte before which n others were taken.
func (r *recency) take(n uint) byte {
	if n < 8 {
		shift := n * 8
		b := byte(r.first >> shift)
		upTo := uint64(1)<<shift<<8 - 1
		r.first = r.first&^upTo | r.first<<8&upTo | uint64(b)
		return b
	}
	n -= 8
	b := r.rest[byte(n)]
	copy(r.rest[1:byte(n)+1], r.rest[:byte(n)])
	r.rest[0] = byte(r.first >> 56)
	r.first = r.first<<8 | uint64(b)
	return b
}
