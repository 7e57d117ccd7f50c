// Package blockmap reads disk images that keep the blocks of a disk where tables in the file
// say: VMDK, VHD, VHDX and VDI.
//
// It reads only from the file it is given. An image that needs another file, as a
// differencing disk does, is refused, and so is one with tables that lead outside of the
// file or twice to the same bytes. Every table that can be reached has been checked when an
// Image is returned; what is compressed is checked when it is read.
//
// It is large because the four formats share how tables are read and what is refused of
// them.
package blockmap

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"os"
)

// Extent is a range of a disk that is data or reads as zero throughout.
type Extent struct {
	Offset, Length int64
	Zero           bool
}

// Errors of an image.
var (
	// ErrTruncated is the error of an image that ends before the disk it encodes does.
	ErrTruncated = errors.New("the image is shorter than it was, or than it says")
	// ErrDamaged is the error of an image that contradicts itself or its format.
	ErrDamaged = errors.New("the image is damaged")
	// ErrRefused is the error of an image that uses what is refused on purpose.
	ErrRefused = errors.New("the image cannot be used")
)

// Bounds of an image.
const (
	sector  = 512
	maxDisk = 1 << 50
	// maxTable is the longest table, in bytes: that of VHDX for 64 TiB in its smallest
	// blocks is longer, and made by nobody.
	maxTable = 64 << 20
)

// Image is a disk in blocks of equal length. It is safe for concurrent use.
type Image struct {
	file  *file
	size  int64
	block int64
	// find returns where a block is.
	find func(number int64) (place, error)
	// unpack fills p from the byte in of the compressed block that is at place; nil where
	// blocks are not compressed.
	unpack func(p []byte, number, at, in int64) error
}

// place is where a block is in the file: at 0 when it is nowhere, and reads as zero. span is
// how many blocks from it on are nowhere as well, at least 1.
type place struct {
	at   int64
	span int64
}

func nowhere(span int64) place { return place{span: max(span, 1)} }

// Size returns the length of the disk in bytes.
func (m *Image) Size() int64 { return m.size }

// blocks returns how many blocks the disk has.
func (m *Image) blocks() int64 { return blocks(m.size, m.block) }

func blocks(size, block int64) int64 { return (size + block - 1) / block }

// Extents walks the tables. Neighbours of a kind are one extent.
func (m *Image) Extents() iter.Seq2[Extent, error] { return Joined(m.runs()) }

// Joined yields runs with neighbours of the same kind as one. An error is the last of them.
func Joined(runs iter.Seq2[Extent, error]) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		var last Extent
		for e, err := range runs {
			switch {
			case err != nil:
				yield(Extent{}, err)
				return
			case last.Length > 0 && last.Zero == e.Zero:
				last.Length += e.Length
				continue
			case last.Length > 0 && !yield(last, nil):
				return
			}
			last = e
		}
		yield(last, nil)
	}
}

// runs yields the blocks in order, those that are nowhere together.
func (m *Image) runs() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for i := int64(0); i < m.blocks(); {
			p, err := m.find(i)
			if err != nil {
				yield(Extent{}, err)
				return
			}
			n := max(p.span, 1)
			start, end := i*m.block, min((i+n)*m.block, m.size)
			if !yield(Extent{start, end - start, p.at == 0}, nil) {
				return
			}
			i += n
		}
	}
}

// ReadAt reads from the disk.
func (m *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > m.size-int64(len(p)) {
		return 0, fmt.Errorf("reading %d bytes at %d: %w", len(p), off, ErrTruncated)
	}
	for done := 0; done < len(p); {
		number, in := (off+int64(done))/m.block, (off+int64(done))%m.block
		part := p[done:min(int64(len(p)), int64(done)+m.block-in)]
		if err := m.readBlock(part, number, in); err != nil {
			return done, err
		}
		done += len(part)
	}
	return len(p), nil
}

// readBlock fills p from the byte in of a block.
func (m *Image) readBlock(p []byte, number, in int64) error {
	at, err := m.find(number)
	switch {
	case err != nil:
		return err
	case at.at == 0:
		clear(p)
		return nil
	case m.unpack != nil:
		return m.unpack(p, number, at.at, in)
	}
	return m.file.read(p, at.at+in)
}

// check finds every block, and refuses those that share bytes of the file with each other or
// with the areas, or reach outside of it. A block begins at a multiple of unit, at most 2^16 of
// which are in it, and has lead bytes before its data.
func (m *Image) check(areas []area, lead, unit int64) error {
	used, err := newPlaces(m.file.size, areas, lead+m.block, unit)
	if err != nil {
		return err
	}
	for i := int64(0); i < m.blocks(); {
		p, err := m.find(i)
		if err != nil {
			return err
		}
		if p.at != 0 {
			need := min(m.block, m.size-i*m.block)
			if err := used.take(p.at-lead, lead+need); err != nil {
				return fmt.Errorf("%w (block %d of the disk)", err, i)
			}
		}
		i += max(p.span, 1)
	}
	return nil
}

// most returns how long the file of an image with a disk of size bytes can be at most: the
// disk in whole blocks, its tables, and something for a short disk.
func most(size, block int64) int64 {
	size = blocks(size, block) * block
	return size + size/16 + 64<<20
}

func powerOfTwo(n uint64) bool { return bits.OnesCount64(n) == 1 }

// open measures f and wraps it.
func open(f *os.File) (*file, []byte, error) {
	in, err := newFile(f)
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, sector)
	if in.size < sector {
		return nil, nil, fmt.Errorf("%w: its header is incomplete", ErrDamaged)
	}
	return in, head, in.read(head, 0)
}

// checkSize refuses a disk of a size that disks do not have.
func checkSize(size uint64) error {
	switch {
	case size == 0 || size > maxDisk:
		return fmt.Errorf("%w: a disk of %d bytes", ErrRefused, size)
	case size%sector != 0:
		return fmt.Errorf("%w: a disk of %d bytes, which are not whole sectors", ErrDamaged, size)
	}
	return nil
}
