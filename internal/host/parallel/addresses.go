package parallel

import (
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// Filters that came later than the library (section 5.3.2).
const (
	filterARM64 = 0x0a
	filterRISCV = 0x0b
)

// addresses is the filter of a block: it turns the addresses that instructions go to back into
// the distances that they were before.
type addresses interface {
	// turn changes the instructions in b, which begins at a byte of the block, and returns how
	// many bytes are done. Of the others it needs more to know, and there are at most 7.
	turn(b []byte, at uint32) (done int)
}

// newAddresses returns the filter id, or nil, with these properties: none, or where the first
// byte of the block is.
func newAddresses(id uint64, properties []byte) (addresses, error) {
	start := uint32(0)
	if len(properties) == 4 {
		start = binary.LittleEndian.Uint32(properties)
	}
	sound := len(properties) == 0 || len(properties) == 4
	switch {
	case id == filterARM64 && sound && start%4 == 0:
		return arm64{start}, nil
	case id == filterRISCV && sound && start%2 == 0:
		return riscv{start}, nil
	case id == filterARM64 || id == filterRISCV:
		return nil, fmt.Errorf("%w: by the filter %#x with %x", ErrUnknown, id, properties)
	}
	return nil, nil
}

// turned writes what comes with its instructions turned back.
type turned struct {
	filter addresses // nil for none
	to     io.Writer
	sum    hash.Hash // of what is written
	at     uint32
	rest   []byte
}

// Write writes what is done.
func (t *turned) Write(p []byte) (int, error) {
	if t.filter == nil {
		return len(p), t.pass(p)
	}
	t.rest = append(t.rest, p...)
	n := t.filter.turn(t.rest, t.at)
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
