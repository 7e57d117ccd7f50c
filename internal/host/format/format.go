// Package format decodes a stored image into a disk: its size, which ranges of
// it hold data, and the bytes of those.
//
// It reads only from the descriptor it is given, never names or opens another
// file, and believes the declared format: nothing here guesses.
package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Extent is a range of a disk that is data or reads as zero throughout.
type Extent struct {
	Offset, Length int64
	Zero           bool
}

// Disk is an image seen as the disk it encodes. ReadAt is safe for concurrent
// use; a read that ends before the end of the disk is an error.
type Disk interface {
	io.ReaderAt
	// Size is the length of the disk in bytes.
	Size() int64
	// Extents yields ranges in order, without gap or overlap, from 0 to Size.
	// It ends with the first error.
	Extents() iter.Seq2[Extent, error]
}

// Plain is a Disk whose bytes lie in a file, each at its own offset.
type Plain interface {
	Disk
	File() *os.File
}

// ErrTruncated says that an image ends before the disk it encodes does.
var ErrTruncated = errors.New("the image is shorter than it was, or than it says")

// decoder is one way to encode a disk, under all its names.
type decoder struct {
	names []spec.Format
	open  func(*os.File) (Disk, error)
}

// decoders returns all formats of this version.
func decoders() []decoder {
	return []decoder{
		{[]spec.Format{spec.DiskDump, spec.Raw}, openRaw},
	}
}

// Check returns nil when this version decodes the format name.
func Check(name spec.Format) error {
	_, err := find(name)
	return err
}

// Open decodes the image in f, which has the format name. f stays the caller's
// and must outlive the Disk.
func Open(name spec.Format, f *os.File) (Disk, error) {
	d, err := find(name)
	if err != nil {
		return nil, err
	}
	return d.open(f)
}

func find(name spec.Format) (decoder, error) {
	all := decoders()
	i := slices.IndexFunc(all, func(d decoder) bool { return slices.Contains(d.names, name) })
	if i >= 0 {
		return all[i], nil
	}
	return decoder{}, &report.Failure{
		Kind: report.Usage, What: "choosing the image format", On: fmt.Sprintf("%.32q", string(name)),
		Cause:  errors.New("not in this version"),
		Remedy: "convert the image to a dump of the whole disk (diskdump)",
	}
}
