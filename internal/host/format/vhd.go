package format

import (
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/host/blockmap"
	"snf-image/internal/report"
)

// openVHD opens a dynamic VHD image, or a fixed one: that is a dump of the disk with a
// footer behind it.
func openVHD(f *os.File) (Disk, error) {
	ends := make([]byte, 2*Sector)
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measuring the image: %w", report.Bare(err))
	}
	if size < int64(len(ends)) {
		return nil, fmt.Errorf("%w: it is too short for a VHD image", ErrDamaged)
	}
	for i, at := range []int64{0, size - Sector} {
		if _, err := f.ReadAt(ends[i*Sector:][:Sector], at); err != nil {
			return nil, fmt.Errorf("reading its ends: %w", report.Bare(err))
		}
	}
	switch {
	case blockmap.IsVHD(ends):
		m, err := blockmap.OpenVHD(f)
		if err != nil {
			return nil, err
		}
		return m, nil
	case !blockmap.IsVHD(ends[Sector:]):
		return nil, notVHD()
	}
	disk, err := blockmap.FixedVHD(ends[Sector:], size)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the image: %w", err)
	}
	return &raw{f: f, size: disk, sparse: st.Mode().IsRegular()}, nil
}

func notVHD() error {
	return fmt.Errorf("%w: it is not a VHD image, or its footer is missing", ErrRefused)
}

// fixedVHD returns the disk of a fixed VHD image that comes as a stream.
func fixedVHD(r io.Reader) io.Reader {
	return &footed{from: r, end: func(last []byte, size int64) error {
		if len(last) < Sector || !blockmap.IsVHD(last) {
			return notVHD()
		}
		disk, err := blockmap.FixedVHD(last, size)
		if err == nil && disk != size-Sector {
			err = fmt.Errorf("%w: its disk has %d bytes of the %d it holds, so it has to be in a file", ErrRefused, disk, size-Sector)
		}
		return err
	}}
}

// footed reads a stream but for its last sector, which is handed to end.
type footed struct {
	from io.Reader
	end  func(last []byte, size int64) error
	size int64
	held []byte // the last bytes, a sector at most
	buf  [64 << 10]byte
	out  []byte // what is ready, in buf
	done bool
}

// Read reads.
func (f *footed) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.done {
			return 0, io.EOF
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// fill reads on: what is ready then is everything but the last sector.
func (f *footed) fill() error {
	k := copy(f.buf[:], f.held)
	n, err := f.from.Read(f.buf[k:])
	f.size += int64(n)
	all := f.buf[:k+n]
	cut := max(len(all)-Sector, 0)
	f.out, f.held = all[:cut], append([]byte(nil), all[cut:]...)
	if errors.Is(err, io.EOF) {
		f.done = true
		return f.end(f.held, f.size)
	}
	return err
}

// notVHDAtEnd reads the dump of a disk, and refuses it when it ends as a fixed VHD image.
type notVHDAtEnd struct {
	from    io.Reader
	decoder decoder
	size    int64
	last    []byte // a sector at most
}

// Read reads.
func (v *notVHDAtEnd) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.size += int64(n)
	v.last = append(v.last, p[max(n-Sector, 0):n]...)
	v.last = append(v.last[:0], v.last[max(len(v.last)-Sector, 0):]...)
	if errors.Is(err, io.EOF) && blockmap.EndsAsVHD(v.last, v.size) {
		return n, alsoVHD(v.decoder)
	}
	return n, err
}
