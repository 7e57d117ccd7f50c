package parallel

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"sync"
)

// check is a kind of check of a block (section 2.1.1.2).
type check struct {
	size int
	make func() hash.Hash
}

// checkOf returns the check with that number.
func checkOf(id byte) (check, error) {
	switch id {
	case 0x00:
		return check{0, func() hash.Hash { return nothing{} }}, nil
	case 0x01:
		return check{4, func() hash.Hash { return backwards{crc32.NewIEEE()} }}, nil
	case 0x04:
		return check{8, func() hash.Hash { return new(sum64) }}, nil
	case 0x0a:
		return check{sha256.Size, sha256.New}, nil
	}
	return check{}, fmt.Errorf("%w: it has a check %#x", ErrUnknown, id)
}

// nothing is the check of nothing.
type nothing struct{ hash.Hash }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Sum(b []byte) []byte         { return b }

// backwards is a checksum that is stored with its lowest byte first.
type backwards struct{ hash.Hash32 }

// Sum appends the checksum.
func (b backwards) Sum(to []byte) []byte { return binary.LittleEndian.AppendUint32(to, b.Sum32()) }

// sum64 is CRC64, stored with its lowest byte first. Zeros, which most of a disk is,
// take no time.
type sum64 struct {
	hash.Hash
	n uint64
}

// page is how many zeros are passed over at once.
const page = 4 << 10

// Write adds p.
func (s *sum64) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) >= page {
		if isZero(p[:page]) {
			s.n = ^pageOfZeros().apply(^s.n)
		} else {
			s.n = crc64.Update(s.n, ecma(), p[:page])
		}
		p = p[page:]
	}
	s.n = crc64.Update(s.n, ecma(), p)
	return total, nil
}

// Sum appends the checksum.
func (s *sum64) Sum(to []byte) []byte { return binary.LittleEndian.AppendUint64(to, s.n) }

var ecma = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(crc64.ECMA) })

// matrix is a linear map of the register of CRC64, byte by byte.
type matrix [8][256]uint64

func (m *matrix) apply(n uint64) uint64 {
	var sum uint64
	for i := range m {
		sum ^= m[i][byte(n>>(8*i))]
	}
	return sum
}

// pageOfZeros returns what a page of zeros does to the register.
var pageOfZeros = sync.OnceValue(func() *matrix {
	m := new(matrix)
	for bit := range 64 {
		n := uint64(1) << bit
		for range page {
			n = ecma()[byte(n)] ^ n>>8
		}
		row := &m[bit/8]
		for i := range row {
			if i>>(bit%8)&1 != 0 {
				row[i] ^= n
			}
		}
	}
	return m
})

// isZero reports whether b, which is not empty, is zero throughout. The runtime compares
// with vector instructions.
func isZero(b []byte) bool { return b[0] == 0 && string(b[1:]) == string(b[:len(b)-1]) }
