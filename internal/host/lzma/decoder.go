package lzma

// Decoder decodes the chunks of one block, in order. Its zero value with Dict is ready.
type Decoder struct {
	// Dict is the size of the dictionary: how far a match may reach back.
	Dict int

	start          int  // of the dictionary in the buffer
	base           int  // where it would start if nothing had moved out of the buffer
	begun          bool // there is a dictionary
	hasProperties  bool
	hasState       bool
	lc             uint32
	lpMask, pbMask uint32

	state                  uint32
	rep0, rep1, rep2, rep3 uint32
	probabilities
	// in is the chunk in work. What is behind it may be anything: a symbol takes up to
	// twenty bytes, and whether there were as many is known behind it.
	in [inSize]byte
}

const (
	inSize = 2 * MaxPacked // a power of two, so that a mask keeps an index in it
	inMask = inSize - 1
)

// Reset makes d ready for another block.
func (d *Decoder) Reset(dict int) {
	d.Dict, d.start, d.begun, d.hasProperties, d.hasState = dict, 0, false, false, false
}

// Slide tells d that the bytes of the buffer have moved n bytes towards its beginning.
func (d *Decoder) Slide(n int) { d.start, d.base = max(0, d.start-n), d.base-n }

// Decode decodes the chunk c from in to buf[pos:], in front of which is what has been
// decoded before.
func (d *Decoder) Decode(c Chunk, in, buf []byte, pos int) error {
	if c.control == copyNew || c.control >= newDictionary {
		d.start, d.base, d.begun, d.hasProperties = pos, pos, true, false
	}
	if !d.begun || len(in) != c.Packed || len(buf)-pos < c.Size {
		return ErrData
	}
	if c.control < packed {
		copy(buf[pos:pos+c.Size], in)
		return nil
	}
	if c.control >= newProperties {
		if err := d.properties(c.properties); err != nil {
			return err
		}
	}
	if !d.hasProperties || c.control < resetState && !d.hasState {
		return ErrData
	}
	if c.control >= resetState {
		d.reset()
	}
	copy(d.in[:], in)
	return d.symbols(buf[:pos+c.Size], pos, uint32(len(in)))
}

// properties reads how many bits of what choose between probabilities.
func (d *Decoder) properties(b byte) error {
	lc, lp, pb := uint32(b%9), uint32(b/9%5), uint32(b/45)
	if lc+lp > maxLcLp || pb > maxPb {
		return ErrData
	}
	d.lc, d.lpMask, d.pbMask, d.hasProperties = lc, 1<<lp-1, 1<<pb-1, true
	return nil
}

// reset forgets what was learned from earlier chunks.
func (d *Decoder) reset() {
	d.state, d.rep0, d.rep1, d.rep2, d.rep3, d.hasState = 0, 0, 0, 0, 0, true
	d.probabilities.reset()
}

// symbols decodes n bytes of LZMA to the rest of buf.
func (d *Decoder) symbols(buf []byte, pos int, n uint32) error {
	r, err := d.begin(n)
	if err != nil {
		return err
	}
	for pos < len(buf) && r.pos <= n {
		posState := uint32(pos-d.base) & d.pbMask
		var b uint32
		if r, b = d.bit(r, &d.isMatch[d.state][posState]); b == 0 {
			r = d.literal(r, buf, pos)
			pos++
			continue
		}
		var length int
		if r, b = d.bit(r, &d.isRep[d.state]); b == 0 {
			r, length = d.match(r, posState)
		} else {
			r, length = d.repeated(r, posState)
		}
		back := int(d.rep0) + 1
		if back > pos-d.start || back > d.Dict || length > len(buf)-pos {
			return ErrData
		}
		repeat(buf[:pos+length], pos, back)
		pos += length
	}
	if r = d.normal(r); pos < len(buf) || r.pos != n || r.code != 0 {
		return ErrData
	}
	return nil
}

// repeat fills the end of buf, from pos on, with what is back bytes before.
func repeat(buf []byte, pos, back int) {
	from := pos - back
	if back == 1 && buf[from] == 0 {
		clear(buf[pos:])
		return
	}
	for pos < len(buf) {
		pos += copy(buf[pos:], buf[from:pos]) // twice as much each time
	}
}
