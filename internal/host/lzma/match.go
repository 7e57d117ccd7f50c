package lzma

// match decodes the length of a match, and its distance to rep0.
func (d *Decoder) match(r ranger, posState uint32) (ranger, int) {
	d.rep3, d.rep2, d.rep1 = d.rep2, d.rep1, d.rep0
	d.state = after(d.state, 7, 10)
	r, length := d.length(r, &d.matchLength, posState)
	r, slot := d.tree(r, d.slot[min(length-minMatch, 3)][:])
	slot -= 64
	if slot < 4 {
		d.rep0 = slot
		return r, length
	}
	n := slot>>1 - 1
	base := (2 | slot&1) << n
	var low uint32
	if slot < fullBits {
		r, low = d.reverse(r, d.special[base-slot:], n)
		d.rep0 = base + low
		return r, length
	}
	r, high := d.direct(r, n-alignBits)
	r, low = d.reverse(r, d.align[:], alignBits)
	d.rep0 = base + high<<alignBits + low
	return r, length
}

// repeated decodes a match with the distance of an earlier one.
func (d *Decoder) repeated(r ranger, posState uint32) (ranger, int) {
	var b uint32
	if r, b = d.bit(r, &d.isRep0[d.state]); b == 0 {
		if r, b = d.bit(r, &d.isRep0Long[d.state][posState]); b == 0 {
			d.state = after(d.state, 9, 11)
			return r, 1
		}
	} else if r, b = d.bit(r, &d.isRep1[d.state]); b == 0 {
		d.rep1, d.rep0 = d.rep0, d.rep1
	} else if r, b = d.bit(r, &d.isRep2[d.state]); b == 0 {
		d.rep2, d.rep1, d.rep0 = d.rep1, d.rep0, d.rep2
	} else {
		d.rep3, d.rep2, d.rep1, d.rep0 = d.rep2, d.rep1, d.rep0, d.rep3
	}
	d.state = after(d.state, 8, 11)
	return d.length(r, &d.repLength, posState)
}

// after returns the state behind a match.
func after(state, literal, other uint32) uint32 {
	if state < litStates {
		return literal
	}
	return other
}

// length decodes the length of a match.
func (d *Decoder) length(r ranger, l *lengths, posState uint32) (ranger, int) {
	var b, n uint32
	if r, b = d.bit(r, &l.choice); b == 0 {
		r, n = d.tree(r, l.low[posState][:])
		return r, int(n) - 8 + minMatch
	}
	if r, b = d.bit(r, &l.choice2); b == 0 {
		r, n = d.tree(r, l.mid[posState][:])
		return r, int(n) - 8 + minMatch + 8
	}
	r, n = d.tree(r, l.high[:])
	return r, int(n) - 256 + minMatch + 16
}
