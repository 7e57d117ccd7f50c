package parallel

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// index remembers what the index of a stream has to say: how long its blocks are. A
// digest of it does, however many there are.
type index struct {
	blocks uint64
	sum    hash.Hash
}

func newIndex() index { return index{sum: sha256.New()} }

// add adds a block of so many bytes with its header and check, but without padding, which
// holds size bytes.
func (i *index) add(unpadded, size int64) {
	i.blocks++
	i.record(uint64(unpadded), uint64(size))
}

func (i *index) record(unpadded, size uint64) {
	b := binary.BigEndian.AppendUint64(nil, unpadded)
	i.sum.Write(binary.BigEndian.AppendUint64(b, size)) //nolint:errcheck // a hash.Hash has no errors
}

// compare reads an index, behind its first byte, and compares it with the blocks.
func (i *index) compare(r io.Reader) error {
	n, err := readVarint(r)
	if err != nil {
		return err
	}
	if n != i.blocks {
		return fmt.Errorf("%w: its index has %d blocks, not %d", errContainer, n, i.blocks)
	}
	theirs := newIndex()
	for range n {
		unpadded, err := readVarint(r)
		if err != nil {
			return err
		}
		size, err := readVarint(r)
		if err != nil {
			return err
		}
		theirs.record(unpadded, size)
	}
	if string(theirs.sum.Sum(nil)) != string(i.sum.Sum(nil)) {
		return fmt.Errorf("%w: its index does not match", errContainer)
	}
	return nil
}

// readVarint reads a number of up to 63 bits, seven in each byte, the lowest first.
func readVarint(r io.Reader) (uint64, error) {
	var b [1]byte
	n := uint64(0)
	for i := range maxVarint {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, err
		}
		n |= uint64(b[0]&0x7f) << (7 * i)
		if b[0]&0x80 == 0 {
			if b[0] == 0 && i > 0 {
				break // a longer way to write the same number
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: a number", errContainer)
}
