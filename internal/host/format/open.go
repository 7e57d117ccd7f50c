package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"snf-image/internal/host/foreign"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// Source is where the stored bytes come from.
type Source struct {
	File   *os.File  // nil for what comes once, in order
	Stream io.Reader // else
	Stored int64     // bytes of a Stream as declared, 0 when nothing was
	// Spool takes what comes as a stream and has a format that needs random access; nil
	// where there is no such file.
	Spool *os.File
	// Largest is the size in bytes of the largest disk that is wanted, 0 for any.
	Largest int64
	// Look asks for Format, Layers and Size alone: where a Spool would be needed, the header
	// tells.
	Look bool
}

// Image is an opened image: Disk, or Stream where only a stream is to be had.
type Image struct {
	Format spec.Format
	Layers []string // outermost first
	Size   int64    // of the disk in bytes; 0 when only the end of the Stream tells
	Disk   Disk
	Stream io.Reader // the bytes of the disk from its first to its last
}

// Open decodes the image that s delivers, which has the format name inside any layers.
// What s holds stays the caller's and must outlive the Image.
func Open(name spec.Format, s Source) (*Image, error) {
	c, err := begin(s)
	if err != nil {
		return nil, err
	}
	img := new(Image)
	if name != spec.DiskDump {
		if c, img.Layers, err = peel(c); err != nil {
			return nil, err
		}
	}
	d, err := c.decoder(name)
	if err != nil {
		return nil, err
	}
	img.Format = d.name
	if c.file == nil && d.stream != nil {
		img.Stream, img.Size, err = d.openStream(c)
		return img, err
	}
	if c.file == nil && s.Look {
		_, img.Size, err = d.most(c.head)
		return img, err
	}
	if c.file == nil {
		if c.file, err = c.spool(d, s); err != nil {
			return nil, err
		}
	}
	if err := d.fits(c.head, s.Largest); err != nil {
		return nil, err // before its tables are checked, which takes time
	}
	if img.Disk, err = d.file(c.file); err != nil {
		return nil, err
	}
	img.Size = img.Disk.Size()
	return img, nil
}

// content is what is left of the stored bytes after some layers: a file, or a stream.
type content struct {
	file   *os.File
	stream *bufio.Reader
	size   int64 // 0 when it is not known
	head   []byte
}

// begin looks at the first bytes of s.
func begin(s Source) (*content, error) {
	if s.File == nil {
		return stream(s.Stream, s.Stored)
	}
	c := &content{file: s.File, head: make([]byte, foreign.HeaderSize)}
	n, err := s.File.ReadAt(c.head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading its first sector: %w", report.Bare(err))
	}
	c.head = c.head[:n]
	if c.size, err = s.File.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("measuring the image: %w", report.Bare(err))
	}
	return c, nil
}

// stream looks at the first bytes of a stream.
func stream(r io.Reader, size int64) (*content, error) {
	c := &content{stream: bufio.NewReaderSize(r, 64<<10), size: size}
	head, err := c.stream.Peek(foreign.HeaderSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	c.head = bytes.Clone(head)
	return c, nil
}

// reader returns the content as a stream.
func (c *content) reader() io.Reader {
	if c.file == nil {
		return c.stream
	}
	return bufio.NewReaderSize(io.NewSectionReader(c.file, 0, c.size), 1<<20)
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
	case d.is == nil || d.is(c.head):
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
		if bytes.HasSuffix(c.head, []byte{0x55, 0xaa}) { // and it has a whole boot sector
			return d, fmt.Errorf("%w: it is both %s and a disk with a boot sector, so its format has to be named", ErrRefused, d.title)
		}
		return d, nil
	}
	if found != nil {
		return decoder{}, found
	}
	return find(spec.Raw)
}
