// Package registry reads and writes the values of hives, the files of the Windows registry.
//
// A hive of an image is hostile: every offset, length and count of it is checked, what is
// read of it is bounded, and nothing is read that is not asked for, so that the size of a
// hive does not matter. Changes are written by hivexsh into a copy, which then is read again:
// it takes the place of the hive only if exactly the wanted values of the changed keys
// differ. Names are compared in any case, as Windows does.
package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/rootfs"
)

// Errors about a hive.
var (
	// ErrDamaged is the error of a file that is not a hive, or contradicts itself.
	ErrDamaged = errors.New("damaged registry hive")
	// ErrDirty is the error of a hive of which the newest part is in its logs.
	ErrDirty = errors.New("the registry hive was not written completely when the system stopped; what is missing is in its transaction logs")
)

// Offsets in the base block of a hive. All numbers are little-endian; the format is
// described in "Windows registry file format specification" by M. Suhanov.
const (
	basePrimary   = 4 // sequence numbers: equal in a hive that was written completely
	baseSecondary = 8
	baseMajor     = 20
	baseMinor     = 24
	baseType      = 28
	baseRoot      = 36 // cell of the root key
	baseBins      = 40 // size of all cells
	baseChecksum  = 508
	baseSize      = 4096 // where the cells begin
)

// Limits of what is read of a hive.
const (
	maxHive   = 1 << 30
	maxCell   = 1 << 20
	maxKeys   = 1 << 18 // subkeys of one key
	maxValues = 1 << 12 // of one key
	maxNames  = 1 << 20 // bytes of the names of one key's values
)

// Hive is an open hive of an image.
type Hive struct {
	root    *rootfs.Root
	path    string
	file    *os.File
	bins    int64  // bytes of cells
	top     uint32 // cell of the root key
	changes []change
}

// Open opens the hive at a path of the image. One that was not written completely is
// ErrDirty.
func Open(root *rootfs.Root, path string) (*Hive, error) {
	f, err := root.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	h := &Hive{root: root, path: path}
	if err := h.load(f); err != nil {
		_ = f.Close()
		return nil, h.wrap(err)
	}
	return h, nil
}

// Close gives the hive up, and what was not committed.
func (h *Hive) Close() error { return h.file.Close() }

// wrap adds which hive it is to an error, and what can be done about a hive.
func (h *Hive) wrap(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("registry hive %s: %w", h.path, err)
	switch {
	case errors.Is(err, ErrDirty):
		return outcome.Advise(err, "start the Windows of the image once more, seal it again, and let sysprep shut it down: powercfg /h off, then sysprep /generalize /oobe /shutdown")
	case errors.Is(err, ErrDamaged):
		return outcome.Advise(err, "repair the Windows of the image, or make the image again")
	case errors.Is(err, errLimits):
		return outcome.Advise(err, "rename, shorten or remove it in the Windows of the image, or leave that task out")
	}
	return err
}

// load reads the base block of a file.
func (h *Hive) load(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	base := make([]byte, 512)
	if st.Size() < baseSize || st.Size() > maxHive {
		return fmt.Errorf("%w: its size is %d bytes", ErrDamaged, st.Size())
	}
	if _, err := f.ReadAt(base, 0); err != nil {
		return err
	}
	if err := checkBase(base); err != nil {
		return err
	}
	h.file, h.top, h.bins = f, u32(base[baseRoot:]), int64(u32(base[baseBins:]))
	if h.bins > st.Size()-baseSize {
		return fmt.Errorf("%w: it has %d bytes of cells, and the file ends before", ErrDamaged, h.bins)
	}
	_, err = h.key(h.top)
	return err
}

func checkBase(base []byte) error {
	const primaryFile = 0
	switch {
	case string(base[:4]) != "regf", u32(base[baseMajor:]) != 1, u32(base[baseType:]) != primaryFile:
		return fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	case u32(base[baseMinor:]) < 2 || u32(base[baseMinor:]) > 6:
		return fmt.Errorf("%w: version 1.%d of the format is not known", ErrDamaged, u32(base[baseMinor:]))
	case u32(base[basePrimary:]) != u32(base[baseSecondary:]), checksum(base) != u32(base[baseChecksum:]):
		return ErrDirty
	}
	return nil
}

// checksum returns that of a base block, which is never 0 and never all ones.
func checksum(base []byte) uint32 {
	var sum uint32
	for at := 0; at < baseChecksum; at += 4 {
		sum ^= u32(base[at:])
	}
	switch sum {
	case 0:
		return 1
	case 1<<32 - 1:
		return 1<<32 - 2
	}
	return sum
}

// cell returns the content of the cell at an offset, at most limit bytes of it, and at
// least least.
func (h *Hive) cell(at uint32, least, limit int) ([]byte, error) {
	head := make([]byte, 4)
	if int64(at) > h.bins-4 {
		return nil, fmt.Errorf("%w: a cell at %d lies outside", ErrDamaged, at)
	}
	if _, err := h.file.ReadAt(head, baseSize+int64(at)); err != nil {
		return nil, err
	}
	size := -int64(int32(u32(head))) // of an allocated cell, with its head
	if size < int64(least)+4 || size > h.bins-int64(at) {
		return nil, fmt.Errorf("%w: the cell at %d cannot have %d bytes", ErrDamaged, at, size)
	}
	data := make([]byte, min(size-4, int64(limit)))
	_, err := h.file.ReadAt(data, baseSize+int64(at)+4)
	return data, err
}

func u16(b []byte) int    { return int(binary.LittleEndian.Uint16(b)) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
