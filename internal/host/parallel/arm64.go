package parallel

import "encoding/binary"

// arm64 turns the addresses in instructions of ARM64.
type arm64 struct{ start uint32 }

// Instructions with a distance: BL, in units of 4 bytes from their own place, and ADRP, in
// pages of 4 KiB, where it is less than 512 MiB.
const (
	branchMask, branch = 0xfc000000, 0x94000000
	adrpMask, adrp     = 0x9f000000, 0x90000000
	register           = 0x1f
)

// turn changes all whole instructions.
func (a arm64) turn(b []byte, at uint32) int {
	le, n := binary.LittleEndian, len(b)&^3
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
	return n
}
