package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"snf-image/internal/host/bootrecord"
)

// Errors of a dump that is something else.
var (
	ErrNotExt  = bootrecord.ErrNotExt
	ErrNotNTFS = bootrecord.ErrNotNTFS
)

// framer makes what stands on the disk before a dump that begins with head and has a length,
// 0 for one that is not known, and bytes that take the place of the first ones of the dump.
// need is how many bytes the file system has.
type framer func(head []byte, length int64) (before []byte, need int64, err error)

// framed is the dump of a partition as a disk: what is made before it, and the dump. The first
// sector of the disk holds data, the others before the dump are zero.
type framed struct {
	before []byte
	dump   Disk
}

var _ Disk = framed{}

// openDump makes the opener of a dump.
func openDump(frame framer) func(*os.File) (Disk, error) {
	return func(f *os.File) (Disk, error) {
		dump, err := openRaw(f)
		if err != nil {
			return nil, err
		}
		head := make([]byte, bootrecord.Head)
		n, err := f.ReadAt(head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading its superblock: %w", err)
		}
		before, _, err := frame.before(head[:n], dump.Size())
		if err != nil {
			return nil, err
		}
		return framed{before, dump}, nil
	}
}

// before calls the framer, and refuses a dump that ends before its file system.
func (frame framer) before(head []byte, length int64) (before []byte, need int64, err error) {
	before, need, err = frame(head, length)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrRefused, err)
	case length != 0 && need > length:
		return nil, 0, fmt.Errorf("%w: its file system has %d bytes, the dump %d", ErrTruncated, need, length)
	}
	return before, need, nil
}

// streamDump makes what returns the bytes of the disk of a dump that comes as a stream, and its
// size.
func streamDump(frame framer) func(*content) (io.Reader, int64, error) {
	return func(c *content) (io.Reader, int64, error) {
		head, err := c.stream.Peek(bootrecord.Head)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		before, need, err := frame.before(head, c.size)
		if err != nil {
			return nil, 0, err
		}
		size := c.size
		if size != 0 {
			size += bootrecord.Size
		}
		s := &framedStream{rest: before, dump: &dump{from: c.stream}, need: need}
		_, err = io.CopyN(io.Discard, s.dump, int64(len(before)-bootrecord.Size))
		return s, size, err
	}
}

// framedStream is framed for a stream.
type framedStream struct {
	rest []byte // of what is made
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
func (d framed) Size() int64 { return bootrecord.Size + d.dump.Size() }

// ReadAt reads from both.
func (d framed) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(d.before)) {
		n = copy(p, d.before[off:])
	}
	if n == len(p) {
		return n, nil
	}
	m, err := d.dump.ReadAt(p[n:], off+int64(n)-bootrecord.Size)
	return n + m, err
}

// Extents yields those of both.
func (d framed) Extents() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		const start = bootrecord.Size
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
