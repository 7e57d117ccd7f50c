// Package lzma decodes LZMA2, the one compression method of .xz files, from memory to
// memory: what has been decoded is the dictionary.
//
// It exists for its speed. A library that decodes into a dictionary of its own, a bit for
// each call, takes half as long again as the C library, and several times as long where
// an image is zero. The format is that of the XZ Utils (lzma2_decoder.c) and of the
// LZMA specification in the LZMA SDK.
package lzma

import (
	"encoding/binary"
	"errors"
)

// ErrData is the error of bytes that no encoder makes.
var ErrData = errors.New("its LZMA data is damaged")

// Bounds of a chunk.
const (
	HeaderSize = 6       // bytes at most
	MaxPacked  = 1 << 16 // bytes behind the header
	MaxSize    = 2 << 20 // bytes that it decodes to
)

// Chunk is the header of a chunk of LZMA2.
type Chunk struct {
	Header int // its length in bytes
	Packed int // bytes that follow it
	Size   int // bytes that they decode to; 0 at the end of the data

	control, properties byte
}

// Control bytes.
const (
	endOfData      = 0x00
	copyNew        = 0x01 // stored bytes, with a new dictionary
	copyMore       = 0x02 // stored bytes
	packed         = 0x80 // from here on LZMA
	resetState     = 0xa0
	newProperties  = 0xc0
	newDictionary  = 0xe0
	sizeInControl  = 0x1f
	maxLcLp, maxPb = 4, 4
)

// Length returns how long the header of the chunk is that begins with the byte control.
func Length(control byte) (int, error) {
	switch {
	case control == endOfData:
		return 1, nil
	case control == copyNew, control == copyMore:
		return 3, nil
	case control >= newProperties:
		return 6, nil
	case control >= packed:
		return 5, nil
	}
	return 0, ErrData
}

// Parse reads a header, of as many bytes as Length says.
func Parse(b []byte) Chunk {
	c := Chunk{Header: len(b), control: b[0]}
	if c.control == endOfData {
		return c
	}
	c.Size = int(binary.BigEndian.Uint16(b[1:])) + 1
	c.Packed = c.Size
	if c.control >= packed {
		c.Size += int(c.control&sizeInControl) << 16
		c.Packed = int(binary.BigEndian.Uint16(b[3:])) + 1
	}
	if c.control >= newProperties {
		c.properties = b[5]
	}
	return c
}
