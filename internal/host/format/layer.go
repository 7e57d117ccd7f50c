package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"snf-image/internal/host/foreign"
	"snf-image/internal/host/parallel"
)

// Bounds of layers.
const (
	maxLayers = 4
	// maxWindow is the largest dictionary or window of a decoder: that of "xz -9" and
	// "zstd --ultra -22".
	maxXZ   = 64 << 20
	maxZstd = 128 << 20
)

// layer is something around an image that is read as a stream.
type layer struct {
	name  string
	at    int
	magic string
	// open returns what is inside, and its length, 0 when that is not known.
	open func(io.Reader) (io.Reader, int64, error)
}

// layers returns all layers of this version.
func layers() []layer {
	return []layer{
		{"gzip", 0, "\x1f\x8b\x08", plain(func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })},
		{"xz", 0, "\xfd7zXZ\x00", plain(func(r io.Reader) (io.Reader, error) { return parallel.NewXZ(r, maxXZ), nil })},
		{"zstd", 0, "\x28\xb5\x2f\xfd", plain(newZstd)},
		{"bzip2", 0, "BZh", plain(func(r io.Reader) (io.Reader, error) { return parallel.NewBzip2(r), nil })},
		{"lz4", 0, "\x04\x22\x4d\x18", plain(func(r io.Reader) (io.Reader, error) {
			return &frames{lz4.NewReader(inside{r}), r}, nil
		})},
		{"tar", 257, "ustar", openTar},
	}
}

// LayerNames returns the names of all layers of this version.
func LayerNames() []string {
	var names []string
	for _, l := range layers() {
		names = append(names, l.name)
	}
	return names
}

// plain makes the opener of a compression, which does not tell lengths.
func plain(open func(io.Reader) (io.Reader, error)) func(io.Reader) (io.Reader, int64, error) {
	return func(r io.Reader) (io.Reader, int64, error) {
		inside, err := open(r)
		return inside, 0, err
	}
}

// newZstd opens zstd frames. The literals of a block are decoded beside the block in front of it.
func newZstd(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxWindow(maxZstd), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	left := &struct{ io.Reader }{d}
	runtime.AddCleanup(left, (*zstd.Decoder).Close, d) // for one that is not read to its end
	return left, nil
}

// peel takes off what is around the image, and names it.
func peel(c *content) (inside *content, names []string, err error) {
	for {
		l := c.layer()
		found := foreign.Recognize(c.head)
		switch {
		case found != nil && found.Ambiguous:
			return nil, nil, found
		case l == nil:
			return c, names, nil
		case len(names) == maxLayers:
			return nil, nil, fmt.Errorf("%w: more than %d layers of compression and archives", ErrRefused, maxLayers)
		}
		names = append(names, l.name)
		r, size, err := l.open(c.reader())
		if err != nil {
			return nil, nil, l.explain(err)
		}
		if c, err = stream(&peeled{l, r}, size); err != nil {
			return nil, nil, err
		}
	}
}

// layer returns the layer that the content begins with, nil for none.
func (c *content) layer() *layer {
	for _, l := range layers() {
		if len(c.head) >= l.at && bytes.HasPrefix(c.head[l.at:], []byte(l.magic)) {
			return &l
		}
	}
	return nil
}

// explain names the layer in an error.
func (l *layer) explain(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	case errors.Is(err, parallel.ErrDictionary):
		err = fmt.Errorf("%w: it takes a dictionary of more than %d MiB", ErrRefused, maxXZ>>20)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = fmt.Errorf("%w: it takes a window of more than %d MiB", ErrRefused, maxZstd>>20)
	case errors.Is(err, parallel.ErrUnknown):
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	case !known(err):
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("unpacking %s: %w", l.name, err)
}

// known reports whether err is not the decoder's own: something below it has failed.
func known(err error) bool {
	_, system := errors.AsType[syscall.Errno](err)
	return system || errors.Is(err, ErrRefused) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrTruncated)
}

// peeled is what is inside a layer.
type peeled struct {
	layer *layer
	from  io.Reader
}

// Read reads, and names the layer in an error.
func (p *peeled) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, p.layer.explain(err)
}

// frames reads LZ4 frames one after the other.
type frames struct {
	frame *lz4.Reader // nil behind the end of one
	from  io.Reader
}

// Read reads, and goes to the next frame where one ends. A lz4.Reader must not be asked
// again, nor used again, when it has returned its end.
func (f *frames) Read(p []byte) (int, error) {
	for {
		if f.frame == nil {
			var next [1]byte
			if _, err := io.ReadFull(f.from, next[:]); err != nil {
				return 0, err
			}
			f.frame = lz4.NewReader(io.MultiReader(bytes.NewReader(next[:]), inside{f.from}))
		}
		n, err := f.frame.Read(p)
		if errors.Is(err, io.EOF) {
			f.frame, err = nil, nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// inside is what a frame is read from: its end comes too early, where a lz4.Reader takes
// it for the end of the frame.
type inside struct{ from io.Reader }

func (i inside) Read(p []byte) (int, error) {
	n, err := i.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
