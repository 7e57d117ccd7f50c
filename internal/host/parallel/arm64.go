package parallel

import (
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// filterARM64 is the number of the filter for ARM64 (section 5.3.2), which came later than
// the library.
const filterARM64 = 0x0a

// arm64 is the filter of a block: it turns the addresses that instructions of ARM64 go to
// back into the distances that they were before.
type arm64 struct{ start uint32 }

// newARM64 returns the filter with these properties: none, or where the first byte of the
// block is.
func newARM64(properties []byte) (*arm64, error) {
	if len(properties) == 0 {
		return &arm64{}, nil
	}
	if len(properties) != 4 || properties[0]%4 != 0 {
		return nil, fmt.Errorf("%w: by the filter ARM64 with %x", ErrUnknown, properties)
	}
	return &arm64{binary.LittleEndian.Uint32(properties)}, nil
}

// Instructions with a distance: BL, in units of 4 bytes from their own place, and ADRP, in
// pages of 4 KiB, where it is less than 512 MiB.
const (
	branchMask, branch = 0xfc000000, 0x94000000
	adrpMask, adrp     = 0x9f000000, 0x90000000
	register           = 0x1f
)

// turn changes the instructions in b, which begins at a byte of the block, a multiple of 4.
func (a *arm64) turn(b []byte, at uint32) {
	le := binary.LittleEndian
	for at += a.start; len(b) >= 4; b, at = b[4:], at+4 {
		switch n := le.Uint32(b); {
		case n&branchMask == branch:
			le.PutUint32(b, branch|(n-at>>2)&^branchMask)
		case n&adrpMask == adrp:
			address := n>>29&3 | n>>3&0x1ffffc
			if (address+1<<17)&0x1c0000 != 0 {
				continue // farther away: it was left as it is
			}
			distance := address - at>>12
			sign := -(distance & (1 << 17)) & 0xe00000
			le.PutUint32(b, adrp|n&register|distance&3<<29|distance&0x3fffc<<3|sign)
		}
	}
}

// turned writes what comes with its instructions turned back.
type turned struct {
	filter *arm64 // nil for none
	to     io.Writer
	sum    hash.Hash // of what is written
	at     uint32
	rest   []byte
}

// Write writes whole instructions.
func (t *turned) Write(p []byte) (int, error) {
	if t.filter == nil {
		return len(p), t.pass(p)
	}
	t.rest = append(t.rest, p...)
	n := len(t.rest) &^ 3
	t.filter.turn(t.rest[:n], t.at)
	err := t.pass(t.rest[:n])
	t.at += uint32(n)
	t.rest = append(t.rest[:0], t.rest[n:]...)
	return len(p), err
}

// end writes what is left.
func (t *turned) end() error { return t.pass(t.rest) }

func (t *turned) pass(p []byte) error {
	t.sum.Write(p) //nolint:errcheck // a hash.Hash has no errors
	_, err := t.to.Write(p)
	return err
}
