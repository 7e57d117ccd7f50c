package blockmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

// Tables are read and kept in pages.
const (
	pageSize = 64 << 10
	maxPages = 128 // kept
)

// file is the file of an image. Tables are read through a cache, and not at all where the
// file has holes.
type file struct {
	f      *os.File
	size   int64
	sparse bool // the file system may know holes

	mu    sync.Mutex
	pages map[int64][]byte
	order []int64
	hole  struct{ from, to int64 } // the last one that was found
}

// zeroPage is every page that lies in a hole.
var zeroPage = make([]byte, pageSize)

func newFile(f *os.File) (*file, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the image: %w", report.Bare(err))
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measuring the image: %w", report.Bare(err))
	}
	return &file{f: f, size: size, sparse: st.Mode().IsRegular(), pages: map[int64][]byte{}}, nil
}

func (f *file) read(p []byte, off int64) error { return ReadFull(f.f, p, off) }

// ReadFull reads all of p from the file of an image.
func ReadFull(f *os.File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("reading %d bytes at %d: %w", len(p), off, ErrTruncated)
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(p), off, report.Bare(err))
}

// table returns n bytes of a table, which lie in one page: n is a power of two, and off a
// multiple of it. They must not be changed.
func (f *file) table(off, n int64) ([]byte, error) {
	page := off / pageSize
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.pages[page]
	if !ok {
		var err error
		if p, err = f.load(page); err != nil {
			return nil, err
		}
	}
	in := off % pageSize
	if in+n > int64(len(p)) {
		return nil, fmt.Errorf("reading a table at %d: %w", off, ErrTruncated)
	}
	return p[in : in+n], nil
}

// load reads a page and keeps it.
func (f *file) load(page int64) ([]byte, error) {
	off := page * pageSize
	n := min(pageSize, f.size-off)
	if n <= 0 {
		return nil, fmt.Errorf("reading a table at %d: %w", off, ErrTruncated)
	}
	if f.inHole(off, off+n) {
		return zeroPage[:n], nil
	}
	p := make([]byte, n)
	if err := f.read(p, off); err != nil {
		return nil, err
	}
	if len(f.order) == maxPages {
		delete(f.pages, f.order[0])
		f.order = f.order[1:]
	}
	f.pages[page], f.order = p, append(f.order, page)
	return p, nil
}

// inHole reports whether the file is known to hold nothing in a range.
func (f *file) inHole(from, to int64) bool {
	if !f.sparse {
		return false
	}
	if f.hole.from <= from && to <= f.hole.to {
		return true
	}
	at, err := unix.Seek(int(f.f.Fd()), from, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // nothing more up to the end, wherever that is now
		at, err = f.f.Seek(0, io.SeekEnd)
	}
	if err != nil || at < to {
		return false
	}
	f.hole.from, f.hole.to = from, at
	return true
}
