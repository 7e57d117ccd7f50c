package inflate

// fixed sets the codes that need no description (section 3.2.6).
func (d *Decoder) fixed() {
	var lengths [maxLiterals]byte
	for i := range lengths {
		switch {
		case i < 144 || i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	_ = build(d.literals[:], literalBits, lengths[:], literalValues[:]) // these are complete
	for i := range maxDistances {
		lengths[i] = 5
	}
	_ = build(d.distances[:], distanceBits, lengths[:maxDistances], distanceValues[:])
}

// Symbols that repeat lengths of codes (section 3.2.7).
const (
	repeatLast  = 16
	repeatZero  = 17
	repeatZeros = 18
)

// dynamic reads the codes of a block.
func (d *Decoder) dynamic() error {
	d.fill()
	literals, distances, n := int(d.take(5))+257, int(d.take(5))+1, int(d.take(4))+4
	if literals > 286 || distances > 30 {
		return ErrData
	}
	var lengths [maxLiterals + maxDistances]byte
	for _, at := range order[:n] {
		d.fill()
		lengths[at] = byte(d.take(3))
	}
	if err := build(d.lengths[:], lengthBits, lengths[:maxLengths], lengthValues[:]); err != nil {
		return err
	}
	clear(lengths[:maxLengths])
	if err := d.readLengths(lengths[:literals+distances]); err != nil {
		return err
	}
	if lengths[endOfBlock] == 0 {
		return ErrData
	}
	if err := build(d.literals[:], literalBits, lengths[:literals], literalValues[:]); err != nil {
		return err
	}
	return build(d.distances[:], distanceBits, lengths[literals:literals+distances], distanceValues[:])
}

// readLengths reads the lengths of codes.
func (d *Decoder) readLengths(to []byte) error {
	for i := 0; i < len(to); {
		if d.fill(); d.short() {
			return ErrShort
		}
		e := d.lengths[d.bits%(1<<lengthBits)]
		if e == 0 {
			return ErrData
		}
		d.take(uint(e & codeMask))
		symbol, times := byte(e>>valueShift), 1
		switch symbol {
		case repeatLast:
			if i == 0 {
				return ErrData
			}
			symbol, times = to[i-1], int(d.take(2))+3
		case repeatZero:
			symbol, times = 0, int(d.take(3))+3
		case repeatZeros:
			symbol, times = 0, int(d.take(7))+11
		}
		if times > len(to)-i {
			return ErrData
		}
		for range times {
			to[i] = symbol
			i++
		}
	}
	return nil
}
