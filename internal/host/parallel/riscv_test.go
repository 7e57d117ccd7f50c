package parallel

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// riscvCode looks like n bytes of a program: calls, pairs of AUIPC and another instruction, what
// are not pairs, those that look packed already, and short instructions between them.
func riscvCode(n int) []byte {
	r := rand.New(rand.NewPCG(11, 11))
	var b []byte
	word := func(w uint32) { b = binary.LittleEndian.AppendUint32(b, w) }
	for len(b) < n {
		register, any := uint32(r.IntN(8)), r.Uint32()&0x3ff
		switch r.IntN(7) {
		case 0:
			word(any<<21 | 1<<20 | register<<7 | 0x6f)
		case 1, 2:
			word(any<<12 | register<<7 | auipc)
			word(any<<23 | register<<15 | r.Uint32()&0x7f80 | 0x67)
		case 3:
			word(any<<12 | register<<7 | auipc)
			word(any<<20 | auipc)
		case 4:
			word(r.Uint32()&^pairedMask | paired)
			word(any)
		case 5:
			word(r.Uint32())
		case 6:
			b = binary.LittleEndian.AppendUint16(b, uint16(any)&^3|1)
		}
	}
	return b[:n]
}

// TestRISCV reads what xz 5.8.1 has packed of such code: --riscv with one block (-T1), blocks of
// 2 KiB (-T2), blocks without sizes (-T1), and one that begins at an address (start=4294963200);
// each with --lzma2=preset=0. The xz of older systems does not know this filter.
func TestRISCV(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"one": 8000, "blocks": 7999, "sizeless": 7993, "start": 7998, "short": 7} {
		b, err := os.ReadFile(filepath.Join("testdata", "riscv-"+name+".xz"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(b); err != nil || !bytes.Equal(got, riscvCode(n)) {
			t.Errorf("%s: %d bytes differ from %d (%v)", name, len(got), n, err)
		}
	}
}
