package parallel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Numbers of a block (section 3).
const (
	filterLZMA2    = 0x21
	maxFilters     = 4
	hasPacked      = 0x40 // flags
	hasSize        = 0x80
	reservedFlags  = 0x3c
	maxDictionary  = 40
	unknown        = -1
	minParallel    = 2 // parts that must fit, that they are worth it
	dictionaryStep = 11
)

// blockHeader is the header of a block.
type blockHeader struct {
	raw          []byte // all of it
	packed, size int64  // unknown where it does not say
	dict         int
	addresses    addresses // the filter before LZMA2, nil for none
	filtered     bool      // there are other filters
}

// blockHeader reads a header with the first byte size.
func (x *xzFile) blockHeader(size byte) (*blockHeader, error) {
	h := &blockHeader{raw: make([]byte, (int(size)+1)*4), packed: unknown, size: unknown}
	h.raw[0] = size
	if err := x.fill(h.raw[1:]); err != nil {
		return nil, err
	}
	end := len(h.raw) - 4
	if crc32.ChecksumIEEE(h.raw[:end]) != binary.LittleEndian.Uint32(h.raw[end:]) {
		return nil, fmt.Errorf("%w: the header of a block", errCheck)
	}
	flags, r := h.raw[1], bytes.NewReader(h.raw[2:end])
	if flags&reservedFlags != 0 {
		return nil, fmt.Errorf("%w: a block with the flags %#x", ErrUnknown, flags)
	}
	if err := h.read(r, flags); err != nil {
		return nil, early(err)
	}
	if h.dict > x.dict {
		return nil, ErrDictionary
	}
	for rest, err := r.ReadByte(); err == nil; rest, err = r.ReadByte() {
		if rest != 0 {
			return nil, fmt.Errorf("%w: the header of a block says more", ErrUnknown)
		}
	}
	return h, nil
}

// read reads the sizes and the filters.
func (h *blockHeader) read(r *bytes.Reader, flags byte) error {
	for _, f := range []struct {
		flag byte
		to   *int64
	}{{hasPacked, &h.packed}, {hasSize, &h.size}} {
		if flags&f.flag == 0 {
			continue
		}
		n, err := readVarint(r)
		if err != nil {
			return err
		}
		*f.to = int64(n)
	}
	if h.packed == 0 {
		return fmt.Errorf("%w: a block of nothing", errContainer)
	}
	n := int(flags&(maxFilters-1)) + 1
	for i := range n {
		if err := h.filter(r, i == n-1); err != nil {
			return err
		}
	}
	h.filtered = n > 1 && (h.addresses == nil || n > 2)
	return nil
}

// filter reads a filter. The last one is LZMA2.
func (h *blockHeader) filter(r *bytes.Reader, last bool) error {
	id, err := readVarint(r)
	if err != nil {
		return err
	}
	n, err := readVarint(r)
	if err != nil {
		return err
	}
	if n > uint64(r.Len()) {
		return fmt.Errorf("%w: the header of a block", errContainer)
	}
	properties := make([]byte, n)
	_, _ = r.Read(properties) // there are so many
	switch {
	case last != (id == filterLZMA2):
		return fmt.Errorf("%w: by the filter %#x", ErrUnknown, id)
	case !last: // nil: a library knows
		h.addresses, err = newAddresses(id, properties)
		return err
	case n != 1 || properties[0] > maxDictionary:
		return fmt.Errorf("%w: a dictionary %x", ErrUnknown, properties)
	}
	b := properties[0]
	h.dict = min((2|int(b)&1)<<(b/2+dictionaryStep), 1<<32-1)
	return nil
}

// block feeds a block: as a part that is decoded beside others where its header says how
// large it is, and there is room.
func (x *xzFile) block(h *blockHeader) error {
	room := h.packed + h.size + 2*granule
	if h.filtered {
		room += int64(h.dict)
	}
	if h.packed == unknown || h.size == unknown || h.packed > budget || h.size > budget || room*minParallel > budget {
		return x.long(h)
	}
	in, err := x.room.get(int(h.packed))
	if err != nil {
		return err
	}
	p := x.part(in, nil)
	if p.out, err = x.room.get(int(h.size)); err != nil {
		p.release()
		return err
	}
	if err := x.fill(in); err != nil {
		p.release()
		return err
	}
	sum, err := x.end(h, h.packed, h.size)
	if err != nil {
		p.release()
		return err
	}
	w := &whole{header: h, check: x.check, flags: x.flags, sum: sum, decoders: &x.decoders}
	if !x.start(p, w.decode) {
		return errAbandoned
	}
	return nil
}

// end reads what follows the packed bytes of a block, notes the block for the index, and
// returns its check.
func (x *xzFile) end(h *blockHeader, packed, size int64) ([]byte, error) {
	b := make([]byte, -packed&3+int64(x.check.size))
	if err := x.fill(b); err != nil {
		return nil, err
	}
	sum := b[len(b)-x.check.size:]
	if padding := b[:len(b)-x.check.size]; len(bytes.Trim(padding, "\x00")) != 0 {
		return nil, fmt.Errorf("%w: the end of a block", errContainer)
	}
	if h.packed != unknown && h.packed != packed || h.size != unknown && h.size != size {
		return nil, errLength
	}
	x.index.add(int64(len(h.raw))+packed+int64(x.check.size), size)
	return sum, nil
}
