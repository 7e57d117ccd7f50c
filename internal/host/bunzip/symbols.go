package bunzip

// Bounds of the format.
const (
	maxCodes   = 6
	minCodes   = 2
	maxChoices = 1<<15 - 1
	group      = 50 // symbols for which one choice is
)

// header decodes what comes before the symbols of a block: which bytes there are, which
// codes, and where each of them is used. It returns how many kinds of symbols there are.
func (d *Decoder) header() (symbols int, err error) {
	n := 0
	ranges := d.in.bits(16)
	for i := range 16 {
		if ranges>>(15-i)&1 == 0 {
			continue
		}
		bytes := d.in.bits(16)
		for j := range 16 {
			if bytes>>(15-j)&1 == 1 {
				d.used[n] = byte(i*16 + j)
				n++
			}
		}
	}
	codes, choices := int(d.in.bits(3)), int(d.in.bits(15))
	if n == 0 || codes < minCodes || codes > maxCodes || choices == 0 {
		return 0, ErrData
	}
	order := [maxCodes]byte{0, 1, 2, 3, 4, 5}
	for i := range choices {
		k := 0
		for d.in.bits(1) == 1 {
			if k++; k >= codes {
				return 0, ErrData
			}
		}
		c := order[k]
		copy(order[1:k+1], order[:k])
		order[0], d.choice[i] = c, c
	}
	for i := range codes {
		if err := d.code(&d.codes[i], n+2); err != nil {
			return 0, err
		}
	}
	d.choices = choices
	return n + 2, nil
}

// code decodes the lengths of a code, each as the difference to the one before.
func (d *Decoder) code(to *code, symbols int) error {
	var lengths [maxSymbols]byte
	n := int(d.in.bits(5))
	for i := range symbols {
		for {
			if n < 1 || n > maxLength {
				return ErrData
			}
			if d.in.bits(1) == 0 {
				break
			}
			n += 1 - 2*int(d.in.bits(1))
		}
		lengths[i] = byte(n)
	}
	return to.build(lengths[:symbols])
}

// Symbols that are not places of bytes.
const (
	runA = iota
	runB
)

// sorted decodes the symbols of a block to table: bytes that are numbered by when each came
// last, with numbers of how often the newest one comes again.
func (d *Decoder) sorted(table []uint32, symbols int) (n int, err error) {
	clear(d.count[:])
	var recent recency
	recent.start(d.used[:])
	end, weight, again := uint(symbols-1), 1, 0
	for choice := range d.choices {
		code := &d.codes[d.choice[choice]]
		for range group {
			s := code.next(&d.in)
			if s <= runB {
				again += weight << s
				if weight <<= 1; again > len(table)-n {
					return 0, ErrData
				}
				continue
			}
			if again > 0 {
				b := recent.newest()
				d.count[b] += uint32(again)
				for i := range table[n : n+again] {
					table[n+i] = uint32(b)
				}
				n, again, weight = n+again, 0, 1
			}
			if s >= end {
				if s > end {
					return 0, ErrData
				}
				return n, nil
			}
			if n == len(table) {
				return 0, ErrData
			}
			b := recent.take(s - 1)
			d.count[b]++
			table[n] = uint32(b)
			n++
		}
		if d.in.short() {
			return 0, ErrShort
		}
	}
	return 0, ErrData
}
