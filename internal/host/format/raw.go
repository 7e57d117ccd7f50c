package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// raw is a dump of a whole disk, byte for byte; holes of the file are zeros.
type raw struct {
	f    *os.File
	size int64
	// sparse means that the file system may know holes; a block device never
	// tells, so it is one extent of data.
	sparse bool
}

var _ Plain = (*raw)(nil)

func openRaw(f *os.File) (Disk, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the image: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measuring the image: %w", err)
	}
	if err := checkLength(size); err != nil {
		return nil, err
	}
	return &raw{f: f, size: size, sparse: st.Mode().IsRegular()}, nil
}

// checkLength refuses lengths in bytes that no dump of a disk has.
func checkLength(size int64) error {
	if size == 0 {
		return ErrEmpty
	}
	if rest := size % Sector; rest != 0 {
		return fmt.Errorf("%w: %d bytes, %d too many, so it is cut short or not a dump of a disk", ErrOdd, size, rest)
	}
	return nil
}

// Dump returns the dump of a disk that comes as a stream. Where its length is that of no
// disk, its end is an error.
func Dump(r io.Reader) io.Reader { return &dump{from: r} }

type dump struct {
	from io.Reader
	n    int64
}

// Read reads.
func (d *dump) Read(p []byte) (int, error) {
	n, err := d.from.Read(p)
	d.n += int64(n)
	if errors.Is(err, io.EOF) {
		if wrong := checkLength(d.n); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

// File returns the file.
func (r *raw) File() *os.File { return r.f }

// Size returns the length of the file.
func (r *raw) Size() int64 { return r.size }

// ReadAt reads from the file. The end of the file inside p is an error even
// where io.ReaderAt would allow it, because p always lies within the disk.
func (r *raw) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.f.ReadAt(p, off)
	if n < len(p) && (err == nil || errors.Is(err, io.EOF)) {
		err = fmt.Errorf("reading %d bytes at %d: %w", len(p), off, ErrTruncated)
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// Extents walks the file by SEEK_DATA and SEEK_HOLE (lseek(2)).
func (r *raw) Extents() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for pos := int64(0); pos < r.size; {
			e, err := r.extent(pos)
			if !yield(e, err) || err != nil {
				return
			}
			pos += e.Length
		}
	}
}

// extent returns the extent that begins at pos.
func (r *raw) extent(pos int64) (Extent, error) {
	if !r.sparse {
		return Extent{Offset: pos, Length: r.size - pos}, nil
	}
	data, err := r.seek(pos, unix.SEEK_DATA)
	if err != nil {
		return Extent{}, err
	}
	if data > pos {
		return Extent{Offset: pos, Length: data - pos, Zero: true}, nil
	}
	hole, err := r.seek(pos, unix.SEEK_HOLE)
	if err != nil {
		return Extent{}, err
	}
	return Extent{Offset: pos, Length: hole - pos}, nil
}

// seek returns where data or a hole begins at or after pos, at most the size.
// ENXIO means: nothing more up to the end of the file, wherever that is now.
func (r *raw) seek(pos int64, whence int) (int64, error) {
	at, err := unix.Seek(int(r.f.Fd()), pos, whence)
	if errors.Is(err, unix.ENXIO) {
		at, err = r.size, r.whole()
	}
	if err != nil {
		return 0, fmt.Errorf("finding the extent at %d: %w", pos, err)
	}
	if whence == unix.SEEK_HOLE && at <= pos {
		return 0, fmt.Errorf("finding the extent at %d: the image changed meanwhile", pos)
	}
	return min(at, r.size), nil
}

// whole checks that the file has not become shorter.
func (r *raw) whole() error {
	st, err := r.f.Stat()
	if err != nil {
		return err
	}
	if st.Size() < r.size {
		return ErrTruncated
	}
	return nil
}

// hole reports whether n bytes of f at off are a hole. A device has none.
func hole(f *os.File, off, n int64) bool {
	at, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	return errors.Is(err, unix.ENXIO) || err == nil && at >= off+n
}
