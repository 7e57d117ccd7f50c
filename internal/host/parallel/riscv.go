package parallel

import "encoding/binary"

// riscv turns the addresses in instructions of RISC-V, which begin at every second byte.
type riscv struct{ start uint32 }

// Instructions with a distance: JAL, where it is a call (its register is x1 or x5), and AUIPC,
// whose distance goes on in the instruction behind it. Such a pair is packed as an AUIPC with
// the register x2, which programs do not have: the low bits of its second instruction, and then
// the address, big-endian. What looked like that before it was packed is a pair now.
const (
	jalMask, jal       = 0xdff, 0x0ef
	auipcMask, auipc   = 0x7f, 0x17
	pairedMask, paired = 0x3fff, 0x3117 // AUIPC of x2, and the low bits of a long instruction
	longer             = 3              // the low bits of an instruction of 4 bytes
	longest            = 8              // bytes that are looked at
	neither            = 0x1d           // bits of a register that is not x0 or x2
)

// turn leaves what is shorter than a pair.
func (r riscv) turn(b []byte, at uint32) int {
	done, le := 0, binary.LittleEndian
	for len(b)-done >= longest {
		p, pc := b[done:], r.start+at+uint32(done)
		switch n := le.Uint32(p); {
		case n&jalMask == jal:
			le.PutUint32(p, call(n, pc))
			done += 4
		case n&auipcMask != auipc:
			done += 2
		case n>>7&neither != 0:
			done += split(p, n)
		default:
			done += pair(p, n, pc)
		}
	}
	return done
}

// call returns the JAL n, at pc, with a distance.
func call(n, pc uint32) uint32 {
	d := n>>12&0xf<<17 | n>>16&0xff<<9 | n>>24<<1
	d -= pc
	return n&0xfff | d>>12&0xff<<12 | d>>11&1<<20 | d>>1&0x3ff<<21 | d>>20&1<<31
}

// split makes of a pair of instructions what looks packed, and returns how many bytes are done.
func split(p []byte, n uint32) int {
	le := binary.LittleEndian
	second := le.Uint32(p[4:])
	if second&longer != longer || second>>15&0x1f != n>>7&0x1f {
		return 6
	}
	le.PutUint32(p, paired&0xfff|second<<12)
	le.PutUint32(p[4:], n&^0xfff+second>>20)
	return 8
}

// pair makes a pair of instructions of what is packed at pc, and returns how many bytes are done.
func pair(p []byte, n, pc uint32) int {
	le, first := binary.LittleEndian, n>>27 // the register
	if n&pairedMask != paired || first&neither == 0 {
		return 4
	}
	d := binary.BigEndian.Uint32(p[4:]) - pc
	le.PutUint32(p, auipc|first<<7|(d+0x800)&^0xfff)
	le.PutUint32(p[4:], n>>12|d<<20)
	return 8
}
