package inflate

import "math/bits"

// entry tells what a code stands for.
type entry uint32

// Parts of an entry. What has none of the marks is a length or a distance, or with the
// value 0 nothing that an encoder makes.
const (
	codeMask   = 0x1f   // bits of the code
	isTable    = 1 << 5 // the value is where the table is of the codes that begin so
	isEnd      = 1 << 6
	isLiteral  = 1 << 7
	extraShift = 8 // bits that follow the code and are added to the value
	valueShift = 16
)

func (e entry) extra() uint       { return uint(e>>extraShift) & 0xf }
func (e entry) extraMask() uint64 { return 1<<e.extra() - 1 }

// Sizes of tables. The first bits of a code lead to its entry, or to another table.
const (
	maxCode      = 15
	literalBits  = 10
	distanceBits = 8
	lengthBits   = 7
	maxLiterals  = 288
	maxDistances = 32
	maxLengths   = 19
	endOfBlock   = 256
)

func (d *Decoder) literal(bits uint64) entry {
	e := d.literals[bits%(1<<literalBits)]
	if e&isTable != 0 {
		e = d.literals[uint64(e>>valueShift)+bits>>literalBits%(1<<(maxCode-literalBits))]
	}
	return e
}

func (d *Decoder) distance(bits uint64) entry {
	e := d.distances[bits%(1<<distanceBits)]
	if e&isTable != 0 {
		e = d.distances[uint64(e>>valueShift)+bits>>distanceBits%(1<<(maxCode-distanceBits))]
	}
	return e
}

// build fills a table of which the first 1<<first entries are found by the first bits of a
// code, with what the symbols mean that have codes of these lengths (section 3.2.2).
func build(to []entry, first uint, lengths []byte, values []entry) error {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	left, longest := 1, uint(0)
	for n := uint(1); n <= maxCode; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return ErrData
		}
		if count[n] > 0 {
			longest = n
		}
	}
	if left > 0 && longest > 1 { // one code alone, of one bit, is how a single distance is written
		return ErrData
	}
	clear(to[:1<<first])
	var next [maxCode + 2]uint
	for n := uint(1); n <= maxCode; n++ {
		next[n+1] = (next[n] + uint(count[n])) << 1
	}
	free := uint(1) << first // where the next table goes
	for symbol, length := range lengths {
		if length == 0 {
			continue
		}
		n := uint(length)
		code := uint(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		free = put(to, first, free, code, n, values[symbol]|entry(n))
	}
	return nil
}

// put enters a code of n bits, and returns where the next table goes.
func put(to []entry, first, free, code, n uint, e entry) uint {
	if n <= first {
		for i := code; i < 1<<first; i += 1 << n {
			to[i] = e
		}
		return free
	}
	start := code % (1 << first)
	if to[start] == 0 {
		to[start] = isTable | entry(free)<<valueShift
		clear(to[free : free+1<<(maxCode-first)])
		free += 1 << (maxCode - first)
	}
	for i := code >> first; i < 1<<(maxCode-first); i += 1 << (n - first) {
		to[uint(to[start]>>valueShift)+i] = e
	}
	return free
}

// The order in which the lengths of codes of lengths come.
var order = [maxLengths]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// Meanings of symbols.
var (
	literalValues  = literalsOf()
	distanceValues = distancesOf()
	lengthValues   = numbers()
)

// literalsOf returns bytes, the end of a block, and lengths of matches (section 3.2.5).
func literalsOf() (values [maxLiterals]entry) {
	for i := range endOfBlock {
		values[i] = isLiteral | entry(i)<<valueShift
	}
	values[endOfBlock] = isEnd
	base := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		values[endOfBlock+1+i] = entry(base)<<valueShift | entry(extra)<<extraShift
		base += 1 << extra
	}
	values[285] = 258 << valueShift
	return values
}

func distancesOf() (values [maxDistances]entry) {
	base := 1
	for i := range 30 {
		extra := max(0, i/2-1)
		values[i] = entry(base)<<valueShift | entry(extra)<<extraShift
		base += 1 << extra
	}
	return values
}

func numbers() (values [maxLengths]entry) {
	for i := range values {
		values[i] = entry(i) << valueShift
	}
	return values
}
