package bunzip

// Bounds of codes.
const (
	maxLength  = 20 // bits
	maxSymbols = 258
	direct     = 10 // bits by which a symbol is found at once
)

// code is a Huffman code.
type code struct {
	// table has, for the first bits, a symbol and the length of its code; 0 for a longer one.
	table [1 << direct]uint16
	// Of each length: behind its last code, as the first of maxLength bits; and what is
	// added to a code to have its place in symbols.
	limit  [maxLength + 2]uint32
	offset [maxLength + 2]int32
	sorted [maxSymbols]uint16
}

// lengthBits are the bits of an entry of a table that are a length.
const lengthBits = 5

// build makes the code in which the symbols have these lengths.
func (c *code) build(lengths []byte) error {
	var count [maxLength + 2]int
	for _, n := range lengths {
		count[n]++
	}
	clear(c.table[:])
	next, place := uint32(0), 0 // the first code of a length
	for n := 1; n <= maxLength; n++ {
		c.offset[n] = int32(place) - int32(next)
		for symbol, length := range lengths {
			if int(length) != n {
				continue
			}
			if next >= 1<<n {
				return ErrData // more codes than there can be
			}
			c.sorted[place] = uint16(symbol)
			place++
			if n <= direct {
				entry := uint16(symbol<<lengthBits | n)
				for i := next << (direct - n); i < (next+1)<<(direct-n); i++ {
					c.table[i] = entry
				}
			}
			next++
		}
		c.limit[n] = next << (maxLength - n)
		next <<= 1
	}
	return nil
}

// next decodes a symbol. Bits that are not a code are one that no block has.
func (c *code) next(in *source) uint {
	in.need(maxLength)
	if e := c.table[in.acc>>(64-direct)]; e != 0 {
		in.take(uint(e & (1<<lengthBits - 1)))
		return uint(e >> lengthBits)
	}
	v := uint32(in.acc >> (64 - maxLength))
	for n := direct + 1; n <= maxLength; n++ {
		if v < c.limit[n] {
			in.take(uint(n))
			return uint(c.sorted[int32(v>>(maxLength-n))+c.offset[n]])
		}
	}
	return maxSymbols
}
