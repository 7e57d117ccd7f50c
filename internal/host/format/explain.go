package format

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// marked reports whether files of the format tell what they are.
func (d *decoder) marked() bool { return d.is != nil }

// explain names the format in an error.
func (d *decoder) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) || !d.marked() {
		return err
	}
	return fmt.Errorf("decoding %s: %w", d.name, err)
}

// explained is a disk of which errors name the format.
type explained struct {
	Disk
	decoder decoder
}

var _ Disk = explained{}

// ReadAt reads.
func (e explained) ReadAt(p []byte, off int64) (int, error) {
	n, err := e.Disk.ReadAt(p, off)
	return n, e.decoder.explain(err)
}

// Extents yields the extents.
func (e explained) Extents() iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for x, err := range e.Disk.Extents() {
			if !yield(x, e.decoder.explain(err)) {
				return
			}
		}
	}
}

// explainedStream is a stream of which errors name the format.
type explainedStream struct {
	io.Reader
	decoder decoder
}

// Read reads.
func (e explainedStream) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	return n, e.decoder.explain(err)
}
