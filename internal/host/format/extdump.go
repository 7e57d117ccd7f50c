package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"snf-image/internal/host/bootrecord"
)

// ErrNotExt is the error of an extdump that is something else.
var ErrNotExt = bootrecord.ErrNotExt

// framed is the dump of a partition as a disk: the bytes that are made before it, and the
// dump. The first sector of these holds data, the others are zero.
type framed struct {
	before []byte
	dump   Disk
}

var _ Disk = framed{}

func openExtDump(f *os.File) (Disk, error) {
	dump, err := openRaw(f)
	if err != nil {
		return nil, err
	}
	head := make([]byte, bootrecord.Head)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading its superblock: %w", err)
	}
	before, err := frame(head[:n], dump.Size())
	if err != nil {
		return nil, err
	}
	return framed{before, dump}, nil
}

// frame returns what stands on the disk before a dump of that length, 0 for one that is not
// known.
func frame(head []byte, length int64) ([]byte, error) {
	before, need, err := bootrecord.New(head, length)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	case length != 0 && need > length:
		return nil, fmt.Errorf("%w: its file system has %d bytes, the dump %d", ErrTruncated, need, length)
	}
	return before, nil
}

// streamExtDump returns the bytes of the disk of a dump that comes as a stream, and its size.
func streamExtDump(c *content) (io.Reader, int64, error) {
	head, err := c.stream.Peek(bootrecord.Head)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	before, err := frame(head, c.size)
	if err != nil {
		return nil, 0, err
	}
	_, need, _ := bootrecord.New(head, c.size)
	size := c.size
	if size != 0 {
		size += int64(len(before))
	}
	return &framedStream{rest: before, dump: &dump{from: c.stream}, need: need}, size, nil
}

// framedStream is framed for a stream.
type framedStream struct {
	rest []byte // of what stands before the dump
	dump *dump
	need int64 // bytes of the file system
}

// Read reads. The end of the dump must not come before that of its file system.
func (s *framedStream) Read(p []byte) (int, error) {
	if len(s.rest) > 0 {
		n := copy(p, s.rest)
		s.rest = s.rest[n:]
		return n, nil
	}
	n, err := s.dump.Read(p)
	if errors.Is(err, io.EOF) && s.dump.n < s.need {
		err = fmt.Errorf("%w: its file system has %d bytes, the dump %d", ErrTruncated, s.need, s.dump.n)
	}
	return n, err
}

// Size returns the length of the disk.
func (d framed) Size() int64 { return int64(len(d.before)) + d.dump.Size() }

// ReadAt reads from both.
func (d framed) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(d.before)) {
		n = copy(p, d.before[off:])
	}
	if n == len(p) {
		return n, nil
	}
	m, err := d.dump.ReadAt(p[n:], off+int64(n-len(d.before)))
	return n + m, err
}

// Extents yields those of both.
func (d framed) Extents() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		start := int64(len(d.before))
		if !yield(Extent{Length: Sector}, nil) || !yield(Extent{Offset: Sector, Length: start - Sector, Zero: true}, nil) {
			return
		}
		for e, err := range d.dump.Extents() {
			e.Offset += start
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
