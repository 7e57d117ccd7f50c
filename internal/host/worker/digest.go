package worker

import (
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/zeebo/blake3"
)

const digestSize = 32

// digest is the block digest of a disk, the name of what was read: BLAKE3 over,
// for every block of 64 KiB that is not all zero, in order, its index (64 bits,
// big-endian) and the BLAKE3 of its bytes, and last the disk's size (64 bits,
// big-endian). The last block may be short. (SHA-256 takes three times as long, and
// with it the whole copy half as long again.)
//
// It does not depend on where the image has holes, costs nothing for zeros, and
// blocks can be hashed in parallel. The size comes last because a stream does not
// tell before.
type digest struct{ h hash.Hash }

func newDigest() digest { return digest{blake3.New()} }

// add appends the block at off; blocks come in order.
func (d digest) add(off int64, sum [digestSize]byte) {
	d.number(off / unit)
	d.h.Write(sum[:])
}

func (d digest) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	d.h.Write(b[:])
}

// sum returns the digest of a disk of size bytes, in hexadecimal. Nothing may be
// added after it.
func (d digest) sum(size int64) string {
	d.number(size)
	return hex.EncodeToString(d.h.Sum(nil))
}
