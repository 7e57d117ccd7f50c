package blockmap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxOverhead is how much there may be before the first grain of a stream.
const maxOverhead = 8 << 20

// vmdkStream reads a stream-optimized VMDK from its beginning to its end.
type vmdkStream struct {
	from *bufio.Reader
	head *vmdkHead // nil before the first Read
	unpacker
	ready  []byte // bytes of the disk that were not read yet
	zeros  int64  // and how many zeros come before them
	pos    int64  // where on the disk the next grain may begin
	grains int64
	listed int64 // in grain tables
	footer bool
	ended  bool
}

// StreamVMDK returns the disk of the stream-optimized VMDK that r delivers.
func StreamVMDK(r io.Reader) io.Reader {
	return &vmdkStream{from: bufio.NewReaderSize(r, 256<<10)}
}

// Read reads.
func (s *vmdkStream) Read(p []byte) (int, error) {
	if s.head == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	for len(s.ready) == 0 && s.zeros == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	if s.zeros > 0 {
		n := min(int64(len(p)), s.zeros)
		clear(p[:n])
		s.zeros -= n
		return int(n), nil
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// full reads all of p. The end of the stream within it is too early.
func (s *vmdkStream) full(p []byte) error {
	_, err := io.ReadFull(s.from, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// begin reads everything before the first grain.
func (s *vmdkStream) begin() error {
	b := make([]byte, sector)
	if err := s.full(b); err != nil {
		return err
	}
	h, err := parseVMDK(b)
	if err != nil {
		return err
	}
	d := h.descriptor
	if h.overhead > maxOverhead || h.overhead < sector || d.at < sector || d.at+d.length > h.overhead {
		return fmt.Errorf("%w: its first grain is at %#x, its descriptor at %#x", ErrDamaged, h.overhead, d.at)
	}
	rest := make([]byte, h.overhead-sector)
	if err := s.full(rest); err != nil {
		return err
	}
	if err := checkDescriptor(rest[d.at-sector:][:d.length], h.size); err != nil {
		return err
	}
	s.head = h
	return nil
}

// next reads the next part of the file.
func (s *vmdkStream) next() error {
	b := make([]byte, markerLength, sector)
	if err := s.full(b); err != nil {
		return err
	}
	m := parseMarker(b)
	if m.length != 0 {
		return s.grain(m)
	}
	b = b[:sector]
	if err := s.full(b[markerLength:]); err != nil {
		return err
	}
	kind := binary.LittleEndian.Uint32(b[12:])
	switch {
	case kind == markerEnd:
		return s.end()
	case kind == markerTable && m.number == vmdkTable/sector:
		return s.table()
	case kind == markerDirectory && m.number == uint64(blocks(s.head.tables()*4, sector)):
		_, err := io.CopyN(io.Discard, s.from, int64(m.number)*sector)
		if errors.Is(err, io.EOF) {
			err = ErrTruncated
		}
		return err
	case kind == markerFooter && m.number == 1:
		return s.foot()
	}
	return fmt.Errorf("%w: a marker of type %d with %d sectors", ErrDamaged, kind, m.number)
}

// grain unpacks the grain behind the marker m.
func (s *vmdkStream) grain(m marker) error {
	h := s.head
	if m.number >= uint64(h.size/sector) || int64(m.number)*sector%h.grain != 0 || int64(m.number)*sector < s.pos {
		return fmt.Errorf("%w: a grain of sector %d comes after sector %d", ErrDamaged, m.number, s.pos/sector)
	}
	if err := s.fetch(h, m, s.full); err != nil {
		return fmt.Errorf("the grain of sector %d: %w", m.number, err)
	}
	pad := (sector - (markerLength+int64(m.length))%sector) % sector
	if err := s.full(make([]byte, pad)); err != nil {
		return err
	}
	at := int64(m.number) * sector
	s.zeros = at - s.pos
	s.ready = s.whole[:min(h.grain, h.size-at)]
	s.pos = at + int64(len(s.ready))
	s.grains++
	return nil
}

// table counts the grains that a grain table lists.
func (s *vmdkStream) table() error {
	b := make([]byte, vmdkTable)
	if err := s.full(b); err != nil {
		return err
	}
	for i := range vmdkPerTable {
		if binary.LittleEndian.Uint32(b[i*4:]) > 1 {
			s.listed++
		}
	}
	return nil
}

// foot reads the footer.
func (s *vmdkStream) foot() error {
	b := make([]byte, sector)
	if err := s.full(b); err != nil {
		return err
	}
	f, err := parseVMDK(b)
	if err != nil {
		return fmt.Errorf("its footer: %w", err)
	}
	if h := s.head; f.size != h.size || f.grain != h.grain || f.flags != h.flags {
		return fmt.Errorf("%w: its footer differs from its header", ErrDamaged)
	}
	s.footer = true
	return nil
}

// end checks what can be known only now, and that nothing but padding follows.
func (s *vmdkStream) end() error {
	if !s.footer || s.grains != s.listed {
		return fmt.Errorf("%w: it holds %d grains, and its tables list %d", ErrDamaged, s.grains, s.listed)
	}
	s.zeros, s.pos, s.ended = s.head.size-s.pos, s.head.size, true
	b := make([]byte, 64<<10)
	for range 16 {
		n, err := s.from.Read(b)
		if len(bytes.Trim(b[:n], "\x00")) > 0 {
			return fmt.Errorf("%w: something follows its end", ErrRefused)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: something follows its end", ErrRefused)
}
