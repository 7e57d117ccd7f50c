package corpus

import (
	"fmt"
	"math/rand/v2"
)

// Mixture is n bytes of what disks hold: zeros, text, tables, one byte again and again, noise,
// repetitions near and far; each at most so long.
func Mixture(seed uint64, n, longest int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b []byte
	for len(b) < n {
		length := 1 + r.IntN(1+r.IntN(longest))
		switch r.IntN(6) {
		case 0:
			b = append(b, make([]byte, length)...)
		case 1:
			for range length / 8 {
				b = append(b, fmt.Sprintf("%d of %x; ", r.IntN(100), r.IntN(1000))...)
			}
		case 2:
			for i := range length / 8 {
				b = append(b, byte(i), byte(i>>8), 0, 0, byte(r.IntN(4)), 0xe8, byte(i>>3), 0xff)
			}
		case 3:
			same := byte(r.IntN(256))
			for range min(length, 600) {
				b = append(b, same)
			}
		case 4:
			for range length / 4 {
				b = append(b, byte(r.Uint32()))
			}
		default:
			from := r.IntN(len(b) + 1)
			b = append(b, b[from:min(len(b), from+length)]...)
		}
	}
	return b[:n]
}
