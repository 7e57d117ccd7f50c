package registry

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Type is the type of a value.
type Type uint32

// The types that are made or looked for here.
const (
	TypeString Type = 1
	TypeExpand Type = 2
	TypeBinary Type = 3
	TypeNumber Type = 4
	TypeList   Type = 7 // of strings
)

// Value is the content of a value.
type Value struct {
	Type Type
	Data []byte
}

// String returns a value that is a text.
func String(s string) Value { return Value{TypeString, EncodeText(s + "\x00")} }

// Number returns a value that is a number of 32 bits.
func Number(n uint32) Value { return Value{TypeNumber, binary.LittleEndian.AppendUint32(nil, n)} }

// Text returns the text of v up to its first zero, "" for what is none.
func (v Value) Text() string {
	if v.Type != TypeString && v.Type != TypeExpand {
		return ""
	}
	s, _, _ := strings.Cut(DecodeText(v.Data), "\x00")
	return s
}

// Number returns the number that v is.
func (v Value) Number() (n uint32, ok bool) {
	if v.Type != TypeNumber || len(v.Data) != 4 {
		return 0, false
	}
	return u32(v.Data), true
}

// EncodeText returns s in UTF-16, little-endian.
func EncodeText(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// DecodeText is the reverse of EncodeText. What cannot be decoded becomes U+FFFD, half a
// unit at the end is left out.
func DecodeText(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// decodeName decodes the name of a key or value.
func decodeName(b []byte, narrow bool) string {
	if !narrow {
		return DecodeText(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// Offsets in the cell of a value.
const (
	valueNameLen = 2
	valueSize    = 4
	valueData    = 8 // a cell, or the data themselves
	valueType    = 12
	valueFlags   = 16
	valueName    = 20

	narrowValue = 1       // the flag of a name with one byte for each character
	resident    = 1 << 31 // of the size: the data lie in the place of their offset
	maxName     = 2 * 16383
	maxSegment  = 16344 // longer data lie in several cells
)

// entry is the cell of a value.
type entry struct {
	name string
	cell []byte
}

// Value returns a value of a key, and whether both are there. The default value of a key
// has an empty name.
func (h *Hive) Value(path, name string) (v Value, ok bool, err error) {
	k, _, err := h.find(path)
	if err != nil || k == nil {
		return Value{}, false, h.wrap(err)
	}
	v, ok, err = h.named(*k, name)
	return v, ok, h.wrap(err)
}

// named returns the value of that name, and whether k has it.
func (h *Hive) named(k key, name string) (v Value, ok bool, err error) {
	entries, err := h.entries(k)
	for _, e := range entries {
		if strings.EqualFold(e.name, name) {
			v, err = h.value(e)
			return v, err == nil, err
		}
	}
	return Value{}, false, err
}

// Names returns the names of the values of a key, none where it is missing.
func (h *Hive) Names(path string) ([]string, error) {
	k, _, err := h.find(path)
	if err != nil || k == nil {
		return nil, h.wrap(err)
	}
	entries, err := h.entries(*k)
	var names []string
	for _, e := range entries {
		names = append(names, e.name)
	}
	return names, h.wrap(err)
}

// entries returns the values of a key, without what they hold.
func (h *Hive) entries(k key) ([]entry, error) {
	if k.values == 0 {
		return nil, nil
	}
	if k.values > maxValues {
		return nil, fmt.Errorf("%w: the key %.40q has %d values", ErrDamaged, k.name, k.values)
	}
	list, err := h.cell(k.vector, 4*int(k.values), 4*int(k.values))
	if err != nil {
		return nil, err
	}
	found, left := make([]entry, k.values), maxNames
	for i := range found {
		at := u32(list[4*i:])
		c, err := h.cell(at, valueName, valueName+maxName)
		if err != nil {
			return nil, err
		}
		n := u16(c[valueNameLen:])
		if string(c[:2]) != "vk" || n > len(c)-valueName {
			return nil, fmt.Errorf("%w: the cell at %d is not a value", ErrDamaged, at)
		}
		if left -= n; left < 0 {
			return nil, fmt.Errorf("%w: the names of the values of the key %.40q have more than %d bytes", ErrDamaged, k.name, maxNames)
		}
		found[i] = entry{decodeName(c[valueName:valueName+n], u16(c[valueFlags:])&narrowValue != 0), slices.Clone(c[:valueName])}
	}
	return found, nil
}

// value reads what e holds.
func (h *Hive) value(e entry) (Value, error) {
	size, v := u32(e.cell[valueSize:]), Value{Type: Type(u32(e.cell[valueType:]))}
	if size&resident != 0 {
		if size &^= resident; size > 4 {
			return v, fmt.Errorf("%w: the value %.40q says that %d bytes lie in 4", ErrDamaged, e.name, size)
		}
		v.Data = e.cell[valueData : valueData+size]
		return v, nil
	}
	if size == 0 {
		return v, nil
	}
	if size > maxCell {
		return v, fmt.Errorf("%w: the value %.40q has %d bytes", ErrDamaged, e.name, size)
	}
	data, err := h.data(u32(e.cell[valueData:]), int(size))
	v.Data = data
	return v, err
}

// data returns size bytes of the cell at an offset, or of those that it lists.
func (h *Hive) data(at uint32, size int) ([]byte, error) {
	if size > maxSegment {
		if list, err := h.cell(at, 8, 8); err == nil && string(list[:2]) == "db" {
			return h.segments(u32(list[4:]), u16(list[2:]), size)
		}
	}
	c, err := h.cell(at, size, size)
	return c, err
}

// segments returns size bytes of n cells whose offsets are in the cell at an offset.
func (h *Hive) segments(at uint32, n, size int) ([]byte, error) {
	list, err := h.cell(at, 4*n, 4*n)
	if err != nil {
		return nil, err
	}
	var data []byte
	for ; len(list) > 0 && len(data) < size; list = list[4:] {
		part := min(maxSegment, size-len(data))
		c, err := h.cell(u32(list), part, part)
		if err != nil {
			return nil, err
		}
		data = append(data, c...)
	}
	if len(data) != size {
		return nil, fmt.Errorf("%w: a value of %d bytes has only %d", ErrDamaged, size, len(data))
	}
	return data, nil
}
