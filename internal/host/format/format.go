// Package format decodes a stored image into a disk: its size, which ranges of
// it hold data, and the bytes of those.
//
// It reads only from the descriptors it is given, never names or opens another
// file, and believes the declared format: only "auto" is found out from the bytes. An
// image is a format inside any number of layers (a compression, an archive), which are
// peeled first; files and streams take the same way.
//
// It is large because every layer and format is here: what is peeled and what decides
// between formats have to know each other.
package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"snf-image/internal/host/blockmap"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Extent is a range of a disk that is data or reads as zero throughout.
type Extent = blockmap.Extent

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

// Errors of an image.
var (
	// ErrTruncated is the error of an image that ends before the disk it encodes does.
	ErrTruncated = blockmap.ErrTruncated
	// ErrDamaged is the error of an image that contradicts itself or its format.
	ErrDamaged = blockmap.ErrDamaged
	// ErrRefused is the error of an image that uses what is refused on purpose.
	ErrRefused = blockmap.ErrRefused
	// ErrAmbiguous is the error of an image that has the marks of two formats.
	ErrAmbiguous = errors.New("the image can be taken for two")
	// ErrEmpty is the error of an image of no bytes.
	ErrEmpty = errors.New("it is empty")
	// ErrOdd is the error of a disk with a length that disks do not have.
	ErrOdd = errors.New("it is not a whole number of 512-byte sectors")
	// ErrTooLarge is the error of an image with a disk that is larger than the one it is for.
	ErrTooLarge = errors.New("it needs a disk")
	// ErrRoom is the error of an image that needs random access and does not fit where it
	// is kept meanwhile.
	ErrRoom = errors.New("there is too little room to unpack it")
)

// Sector is the unit in which every disk is counted.
const Sector = 512

// Check returns nil when this version decodes the format name.
func Check(name spec.Format) error {
	if name == spec.Auto {
		return nil
	}
	_, err := find(name)
	return err
}

// Names returns the formats of this version, those that have to be found out aside.
func Names() []spec.Format {
	var names []spec.Format
	for _, d := range decoders() {
		names = append(names, d.name)
	}
	return names
}

// File returns the bytes of a file or a device as a disk, whatever they are.
func File(f *os.File) (Disk, error) { return openRaw(f) }

func find(name spec.Format) (decoder, error) {
	all := decoders()
	i := slices.IndexFunc(all, func(d decoder) bool { return d.name == name })
	if i >= 0 {
		return all[i], nil
	}
	return decoder{}, &report.Failure{
		Kind: report.Usage, What: "choosing the image format", On: fmt.Sprintf("%.32q", string(name)),
		Cause:  errors.New("not in this version"),
		Remedy: "convert the image to a dump of the whole disk (diskdump)",
	}
}
