package lzma

// Numbers of LZMA.
const (
	states    = 12
	litStates = 7 // in the states below, the last symbol was a literal
	posStates = 16

	probBits  = 11
	probInit  = 1 << probBits / 2
	moveBits  = 5
	top       = 1 << 24
	minMatch  = 2
	fullBits  = 14 // slots of distances from here on have bits without probabilities
	alignBits = 4
)

// probabilities are what the decoder learns.
type probabilities struct {
	isMatch     [states][posStates]uint16
	isRep       [states]uint16
	isRep0      [states]uint16
	isRep1      [states]uint16
	isRep2      [states]uint16
	isRep0Long  [states][posStates]uint16
	slot        [4][64]uint16
	special     [128]uint16
	align       [1 << alignBits]uint16
	matchLength lengths
	repLength   lengths
	literals    [1 << maxLcLp][0x300]uint16
}

// lengths are the probabilities of the length of a match.
type lengths struct {
	choice, choice2 uint16
	low, mid        [posStates][8]uint16
	high            [256]uint16
}

func (p *probabilities) reset() {
	for i := range p.isMatch {
		fill(p.isMatch[i][:])
		fill(p.isRep0Long[i][:])
	}
	for i := range p.slot {
		fill(p.slot[i][:])
	}
	for i := range p.literals {
		fill(p.literals[i][:])
	}
	for _, b := range [][]uint16{p.isRep[:], p.isRep0[:], p.isRep1[:], p.isRep2[:], p.special[:], p.align[:]} {
		fill(b)
	}
	p.matchLength.reset()
	p.repLength.reset()
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

// ranger is the state of the range decoder. It travels in registers.
type ranger struct{ rng, code, pos uint32 }

// begin begins to read the n bytes of a chunk.
func (d *Decoder) begin(n uint32) (ranger, error) {
	if n < 5 || d.in[0] != 0 {
		return ranger{}, ErrData
	}
	code := uint32(d.in[1])<<24 | uint32(d.in[2])<<16 | uint32(d.in[3])<<8 | uint32(d.in[4])
	return ranger{rng: 1<<32 - 1, code: code, pos: 5}, nil
}

// normal makes room for the next bit.
func (d *Decoder) normal(r ranger) ranger {
	if r.rng < top {
		r.rng, r.code, r.pos = r.rng<<8, r.code<<8|uint32(d.in[r.pos&inMask]), r.pos+1
	}
	return r
}

// bit decodes a bit with the probability p.
func (d *Decoder) bit(r ranger, p *uint16) (ranger, uint32) {
	if r.rng < top {
		r.rng, r.code, r.pos = r.rng<<8, r.code<<8|uint32(d.in[r.pos&inMask]), r.pos+1
	}
	v := uint32(*p)
	bound := r.rng >> probBits * v
	if r.code < bound {
		*p = uint16(v + (1<<probBits-v)>>moveBits)
		r.rng = bound
		return r, 0
	}
	*p = uint16(v - v>>moveBits)
	r.rng, r.code = r.rng-bound, r.code-bound
	return r, 1
}

// tree decodes a number of bits, the highest first, and returns it with a 1 in front.
func (d *Decoder) tree(r ranger, p []uint16) (ranger, uint32) {
	symbol := uint32(1)
	for symbol < uint32(len(p)) {
		if r.rng < top {
			r.rng, r.code, r.pos = r.rng<<8, r.code<<8|uint32(d.in[r.pos&inMask]), r.pos+1
		}
		v := uint32(p[symbol])
		bound := r.rng >> probBits * v
		if r.code < bound {
			p[symbol] = uint16(v + (1<<probBits-v)>>moveBits)
			r.rng = bound
			symbol <<= 1
		} else {
			p[symbol] = uint16(v - v>>moveBits)
			r.rng, r.code = r.rng-bound, r.code-bound
			symbol = symbol<<1 | 1
		}
	}
	return r, symbol
}

// reverse decodes n bits, the lowest first.
func (d *Decoder) reverse(r ranger, p []uint16, n uint32) (ranger, uint32) {
	symbol, value := uint32(1), uint32(0)
	for i := range n {
		var b uint32
		r, b = d.bit(r, &p[symbol])
		symbol = symbol<<1 | b
		value |= b << i
	}
	return r, value
}

// direct decodes n bits without probabilities.
func (d *Decoder) direct(r ranger, n uint32) (ranger, uint32) {
	value := uint32(0)
	for range n {
		r = d.normal(r)
		r.rng >>= 1
		r.code -= r.rng
		mask := -(r.code >> 31)
		r.code += r.rng & mask
		value = value<<1 + mask + 1
	}
	return r, value
}

// literal decodes a byte to buf[pos].
func (d *Decoder) literal(r ranger, buf []byte, pos int) ranger {
	prev := uint32(0)
	if pos > d.start {
		prev = uint32(buf[pos-1])
	}
	p := &d.literals[((uint32(pos-d.base)&d.lpMask)<<d.lc+prev>>(8-d.lc))&(1<<maxLcLp-1)]
	var symbol uint32
	if d.state < litStates {
		r, symbol = d.tree(r, p[:0x100])
	} else {
		r, symbol = d.matched(r, p, uint32(buf[pos-int(d.rep0)-1]))
	}
	buf[pos] = byte(symbol)
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
	return r
}

// matched decodes a byte that follows a match, and differs from the byte that follows
// what it was a match of.
func (d *Decoder) matched(r ranger, p *[0x300]uint16, other uint32) (ranger, uint32) {
	offset, symbol := uint32(0x100), uint32(1)
	for symbol < 0x100 {
		other <<= 1
		other1 := other & offset
		var b uint32
		r, b = d.bit(r, &p[(offset+other1+symbol)%0x300])
		symbol = symbol<<1 | b
		if b != 0 {
			offset &= other1
		} else {
			offset &^= other1
		}
	}
	return r, symbol
}
