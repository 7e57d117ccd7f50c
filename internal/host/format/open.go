package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

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
	// Spooling, if not nil, is called when the Spool begins to be filled.
	Spooling func()
	// Taken, if not nil, counts the bytes of a File that were read to unpack it.
	Taken *atomic.Int64
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
	if err := c.notEmpty(d); err != nil {
		return nil, err
	}
	if err := c.lookFurther(d.head); err != nil {
		return nil, err
	}
	switch {
	case c.file == nil && d.inOnePass(c.head):
		img.Stream, img.Size, err = d.openStream(c)
		if d.is == nil && (name == spec.Auto || name == spec.DiskDump) {
			img.Stream = &notVHDAtEnd{from: img.Stream, decoder: d}
		}
		return img, err
	case c.file == nil && s.Look:
		_, img.Size, err = d.bounds(c.head)
		return img, err
	case c.file == nil:
		if c.file, err = c.spool(d, s); err != nil {
			return nil, err
		}
	}
	return img, img.inFile(name, d, c, s.Largest)
}

// inFile opens what can be read in any order.
func (img *Image) inFile(name spec.Format, d decoder, c *content, largest int64) (err error) {
	if err := notAlsoVHD(name, d, c.file); err != nil {
		return err
	}
	if err := d.fits(c.head, largest); err != nil {
		return err // before its tables are checked, which takes time
	}
	if img.Disk, err = d.file(c.file); err != nil {
		return d.explain(err)
	}
	img.Size = img.Disk.Size()
	if d.marked() {
		img.Disk = explained{img.Disk, d}
	}
	return nil
}

// content is what is left of the stored bytes after some layers: a file, or a stream.
type content struct {
	file   *os.File
	stream *bufio.Reader
	size   int64 // 0 when it is not known
	head   []byte
	taken  *atomic.Int64 // of file, nil where nobody counts
}

// begin looks at the first bytes of s.
func begin(s Source) (*content, error) {
	if s.File == nil {
		return stream(s.Stream, s.Stored)
	}
	c := &content{file: s.File, head: make([]byte, foreign.HeaderSize), taken: s.Taken}
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
	r := io.Reader(io.NewSectionReader(c.file, 0, c.size))
	if c.taken != nil {
		r = &counter{r, c.taken}
	}
	return bufio.NewReaderSize(r, 1<<20)
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    *atomic.Int64
}

// Read reads.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// lookFurther makes the head n bytes long at least.
func (c *content) lookFurther(n int) error {
	if n <= len(c.head) {
		return nil
	}
	if c.file != nil {
		c.head = make([]byte, min(int64(n), c.size))
		_, err := c.file.ReadAt(c.head, 0)
		return report.Bare(err)
	}
	c.stream = bufio.NewReaderSize(c.stream, n)
	head, err := c.stream.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c.head = bytes.Clone(head)
	return nil
}

// notEmpty refuses what would be a dump of a disk, and is a few zeros: an archive without
// members is that.
func (c *content) notEmpty(d decoder) error {
	const few = 64 << 10 // which the buffer of a stream holds
	if d.is != nil || d.unmarked || d.framed != nil || len(bytes.Trim(c.head, "\x00")) > 0 || len(c.head) == 0 {
		return nil
	}
	var b []byte
	var err error
	if c.file == nil {
		b, err = c.stream.Peek(few)
	} else if b, err = io.ReadAll(io.LimitReader(c.reader(), few)); len(b) < few && err == nil {
		err = io.EOF
	}
	if errors.Is(err, io.EOF) && len(bytes.Trim(b, "\x00")) == 0 {
		return fmt.Errorf("%w: it holds nothing but %d zero bytes, as an archive without members does", ErrRefused, len(b))
	}
	return nil // what is wrong with it is met again
}
