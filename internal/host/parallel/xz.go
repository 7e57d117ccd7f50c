package parallel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// Errors of .xz.
var (
	// ErrDictionary is the error of a dictionary that is larger than is allowed.
	ErrDictionary = errors.New("its dictionary is too large")
	// ErrUnknown is the error of what no decoder here knows.
	ErrUnknown = errors.New("it is packed in an unknown way")

	errContainer = errors.New("its blocks are damaged")
	errCheck     = errors.New("a checksum does not match")
)

// The marks of .xz (The .xz File Format, version 1.2.0, section 2.1).
const (
	xzMagic    = "\xfd7zXZ\x00"
	xzEnd      = "YZ"
	xzHeader   = 12 // bytes of the header of a stream, and of its footer
	maxVarint  = 9
	indexStart = 0 // in the place of the first byte of a block
)

// xzFile splits a .xz file.
type xzFile struct {
	*line
	dict  int // the largest dictionary
	flags [2]byte
	check check
	index index // of the stream in work
	read  int64 // bytes of the stream in work

	decoders sync.Pool // of *lzma.Decoder
}

// NewXZ returns what r holds, which is a .xz file of any number of streams, with
// dictionaries of at most dict bytes.
func NewXZ(r io.Reader, dict int) *Reader {
	return newReader(r, func(l *line) error { return (&xzFile{line: l, dict: dict}).split() })
}

// split feeds all streams.
func (x *xzFile) split() error {
	for first := true; ; first = false {
		more, err := x.header(first)
		if err != nil || !more {
			return err
		}
		if err := x.blocks(); err != nil {
			return err
		}
		if err := x.footer(); err != nil {
			return err
		}
	}
}

// fill reads all of p. The end of the file in it is an error.
func (x *xzFile) fill(p []byte) error {
	n, err := io.ReadFull(x.from, p)
	x.read += int64(n)
	return early(err)
}

// early makes an end an unexpected one.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// header reads the header of a stream, and the padding in front of it: zeros in groups of
// four. It reports whether there is one.
func (x *xzFile) header(first bool) (bool, error) {
	var b [xzHeader]byte
	for {
		n, err := io.ReadFull(x.from, b[:4])
		if n == 0 && errors.Is(err, io.EOF) && !first {
			return false, nil
		}
		if err != nil {
			return false, early(err)
		}
		if first || b[0]|b[1]|b[2]|b[3] != 0 {
			break
		}
	}
	x.read, x.index = 4, newIndex()
	if err := x.fill(b[4:]); err != nil {
		return false, err
	}
	copy(x.flags[:], b[6:])
	var err error
	switch {
	case string(b[:6]) != xzMagic:
		return false, fmt.Errorf("%w: something else follows", errContainer)
	case crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]):
		return false, fmt.Errorf("%w: the header of a stream", errCheck)
	case x.flags[0] != 0 || x.flags[1] > 0x0f:
		return false, fmt.Errorf("%w: flags %x", ErrUnknown, x.flags)
	}
	x.check, err = checkOf(x.flags[1])
	return true, err
}

// blocks feeds the blocks of a stream.
func (x *xzFile) blocks() error {
	for {
		var size [1]byte
		if err := x.fill(size[:]); err != nil {
			return err
		}
		if size[0] == indexStart {
			return nil
		}
		h, err := x.blockHeader(size[0])
		if err != nil {
			return err
		}
		if err := x.block(h); err != nil {
			return err
		}
	}
}

// footer reads the index, behind its first byte, and what ends a stream.
func (x *xzFile) footer() error {
	start := x.read - 1
	sum := crc32.NewIEEE()
	sum.Write([]byte{indexStart}) //nolint:errcheck // a hash.Hash has no errors
	r := io.TeeReader(byteFiller{x}, sum)
	if err := x.index.compare(r); err != nil {
		return err
	}
	padding := make([]byte, -(x.read-start)&3)
	if _, err := io.ReadFull(r, padding); err != nil {
		return err
	}
	var b [4 + xzHeader]byte
	if err := x.fill(b[:]); err != nil {
		return err
	}
	le := binary.LittleEndian
	length := x.read - start - xzHeader
	switch {
	case len(bytes.Trim(padding, "\x00")) != 0, int64(le.Uint32(b[8:]))*4+4 != length,
		[2]byte(b[12:]) != x.flags, string(b[14:]) != xzEnd:
		return fmt.Errorf("%w: the end of a stream", errContainer)
	case le.Uint32(b[:]) != sum.Sum32(), le.Uint32(b[4:]) != crc32.ChecksumIEEE(b[8:14]):
		return fmt.Errorf("%w: the index", errCheck)
	}
	return nil
}

// byteFiller reads from a file that must not end.
type byteFiller struct{ *xzFile }

func (f byteFiller) Read(p []byte) (int, error) {
	if err := f.fill(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
