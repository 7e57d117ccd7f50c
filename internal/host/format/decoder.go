package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/host/blockmap"
	"snf-image/internal/host/bootrecord"
	"snf-image/internal/host/foreign"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// decoder is one way to encode a disk.
type decoder struct {
	name  spec.Format
	title string // with its article, for messages
	// is reports whether a file that begins with head has this format; nil for a format
	// without a mark.
	is func(head []byte) bool
	// unmarked means that there are files of this format without its mark at the beginning.
	unmarked bool
	// file decodes what can be read in any order.
	file func(*os.File) (Disk, error)
	// stream decodes what is read once; nil for a format that needs random access, unless
	// streams says that head tells.
	stream  func(io.Reader) io.Reader
	streams func(head []byte) bool
	// framed opens the stream of a format with something that is made before its bytes.
	framed func(*content) (io.Reader, int64, error)
	// most returns how long a file that begins with head can be at most, and the size of
	// its disk. It is for formats without a stream, or with a header that tells the size.
	most func(head []byte) (file, disk int64, err error)
	// head is how much of the beginning most needs, 0 for a sector.
	head int
}

// decoders returns all formats of this version.
func decoders() []decoder {
	return []decoder{
		{name: spec.DiskDump, title: "a dump of a disk", file: openRaw, stream: Dump},
		{name: spec.Raw, title: "a raw image", file: openRaw, stream: Dump},
		{name: spec.ExtDump, title: "a dump of a file system", file: openDump(bootrecord.New), stream: Dump, framed: streamDump(bootrecord.New)},
		{name: spec.NTFSDump, title: "a dump of NTFS", file: openDump(bootrecord.NewNTFS), stream: Dump, framed: streamDump(bootrecord.NewNTFS)},
		{name: spec.Qcow2, title: "a qcow2 image", is: isQcow2, file: openQcow2, most: mostQcow2},
		{
			name: spec.VMDK, title: "a VMDK image", is: blockmap.IsVMDK, file: mapped(blockmap.OpenVMDK),
			stream: blockmap.StreamVMDK, streams: blockmap.StreamsVMDK, most: blockmap.MostVMDK,
		},
		{
			name: spec.VHD, title: "a VHD image", is: blockmap.IsVHD, unmarked: true, file: openVHD,
			stream: fixedVHD, streams: func(head []byte) bool { return !blockmap.IsVHD(head) }, most: blockmap.MostVHD,
		},
		{
			name: spec.VHDX, title: "a VHDX image", is: blockmap.IsVHDX, file: mapped(blockmap.OpenVHDX),
			most: blockmap.MostVHDX, head: blockmap.HeadVHDX,
		},
		{name: spec.VDI, title: "a VDI image", is: blockmap.IsVDI, file: mapped(blockmap.OpenVDI), most: blockmap.MostVDI},
	}
}

// mapped makes the opener of a format with tables.
func mapped(open func(*os.File) (*blockmap.Image, error)) func(*os.File) (Disk, error) {
	return func(f *os.File) (Disk, error) {
		m, err := open(f)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// inOnePass reports whether the disk in a file that begins with head can be read from its
// first byte to its last.
func (d *decoder) inOnePass(head []byte) bool {
	return d.stream != nil && (d.streams == nil || d.streams(head))
}

// openStream returns the bytes of the disk in c and its size, 0 when that is not known.
func (d *decoder) openStream(c *content) (io.Reader, int64, error) {
	r, size, err := d.anyStream(c)
	if err != nil || !d.marked() {
		return r, size, d.explain(err)
	}
	return explainedStream{r, *d}, size, nil
}

func (d *decoder) anyStream(c *content) (io.Reader, int64, error) {
	switch {
	case d.name == spec.VHD:
		if c.size != 0 && c.size <= Sector {
			return nil, 0, fmt.Errorf("%w: it is not %s", ErrRefused, d.title)
		}
		return d.stream(c.stream), max(c.size-Sector, 0), nil
	case d.most != nil:
		_, disk, err := d.most(c.head)
		return d.stream(c.stream), disk, err
	case c.size != 0:
		if err := checkLength(c.size); err != nil {
			return nil, 0, err
		}
	}
	if d.framed != nil {
		return d.framed(c)
	}
	return d.stream(c.stream), c.size, nil
}

// decoder returns the decoder for the content, which name is said to be.
func (c *content) decoder(name spec.Format) (decoder, error) {
	found := foreign.Recognize(c.head)
	if name == spec.Auto {
		return c.recognized(found)
	}
	d, err := find(name)
	switch {
	case err != nil:
		return d, err
	case d.is == nil && found != nil:
		return d, found
	case d.is == nil || d.is(c.head) || d.unmarked && found == nil:
		return d, nil
	case found != nil:
		return d, fmt.Errorf("%w: it is %s, not %s", ErrRefused, found.Name, d.title)
	}
	return d, fmt.Errorf("%w: it is not %s", ErrRefused, d.title)
}

// recognized returns the decoder for the content by its first bytes, which were found to
// be a format; nil for a disk.
func (c *content) recognized(found *foreign.File) (decoder, error) {
	for _, d := range decoders() {
		if d.is == nil || !d.is(c.head) {
			continue
		}
		if bytes.HasSuffix(c.head[:min(len(c.head), Sector)], []byte{0x55, 0xaa}) { // and it has a whole boot sector
			return d, fmt.Errorf("%w: it is both %s and a disk with a boot sector", ErrAmbiguous, d.title)
		}
		return d, nil
	}
	if found != nil {
		return decoder{}, found
	}
	return find(spec.Raw)
}

// notAlsoVHD refuses a disk that ends with the footer of a fixed VHD image, unless it was
// named as what it is: to others it is a disk of 512 bytes less.
func notAlsoVHD(name spec.Format, d decoder, f *os.File) error {
	if name != spec.Auto && name != spec.DiskDump || d.name == spec.VHD {
		return nil
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measuring the image: %w", report.Bare(err))
	}
	last := make([]byte, Sector)
	if size < Sector {
		return nil
	}
	if _, err := f.ReadAt(last, size-Sector); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading its last sector: %w", report.Bare(err))
	}
	if blockmap.EndsAsVHD(last, size) {
		return alsoVHD(d)
	}
	return nil
}

func alsoVHD(d decoder) error {
	return fmt.Errorf("%w: it is both %s and a fixed VHD image", ErrAmbiguous, d.title)
}
