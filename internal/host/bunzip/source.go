package bunzip

import "encoding/binary"

// source is bytes as bits, the highest of each first. Behind its end there are zeros.
type source struct {
	b     []byte
	pos   int    // in b
	acc   uint64 // the next bits, the highest first
	n     uint   // how many
	extra uint   // bytes of zeros among them that are behind the end
}

// need has at least n bits, at most 56, in acc.
func (s *source) need(n uint) {
	if s.n < n {
		s.fill()
	}
}

// fill takes bits together, at least 56.
func (s *source) fill() {
	if s.pos+8 <= len(s.b) {
		// More bits than are counted come in; the next time they are the same.
		s.acc |= binary.BigEndian.Uint64(s.b[s.pos:]) >> s.n
		s.pos += int(63-s.n) >> 3
		s.n |= 56
		return
	}
	for s.n <= 56 {
		if s.pos < len(s.b) {
			s.acc |= uint64(s.b[s.pos]) << (56 - s.n)
			s.pos++
		} else {
			s.extra++
		}
		s.n += 8
	}
}

// take leaves n bits behind.
func (s *source) take(n uint) {
	s.acc <<= n
	s.n -= n
}

// bits returns the next n bits, at most 32.
func (s *source) bits(n uint) uint64 {
	s.need(n)
	v := s.acc >> (64 - n)
	s.take(n)
	return v
}

// short reports whether bits behind the end were taken.
func (s *source) short() bool { return s.extra*8 > s.n }

// bit returns which bit is the next one.
func (s *source) bit() int { return (s.pos+int(s.extra))*8 - int(s.n) }
