package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// lengths and gaps are how often an extent, and the hole behind it, of an
// installed Debian 12 is from 4 KiB·2^i up to twice that long.
var (
	lengths = []int{132, 132, 98, 51, 283, 144, 90, 67, 39, 28, 8, 3, 0, 1}
	gaps    = []int{243, 225, 119, 231, 160, 22, 25, 20, 13, 3, 2, 1, 3, 4, 2, 1}
)

const fsBlock = 4096

// draw returns a length in whole blocks from a histogram.
func draw(r *rand.Rand, histogram []int) int64 {
	total := 0
	for _, n := range histogram {
		total += n
	}
	k := r.IntN(total)
	for i, n := range histogram {
		if k < n {
			blocks := int64(1) << i
			return (blocks + r.Int64N(blocks)) * fsBlock
		}
		k -= n
	}
	return fsBlock
}

// makeImage writes the sparse image and, beside it, its data alone.
func makeImage(image, dense string, size, data int64) (extents int, err error) {
	img, err := os.Create(image)
	if err != nil {
		return 0, err
	}
	defer img.Close()
	alone, err := os.Create(dense)
	if err != nil {
		return 0, err
	}
	defer alone.Close()
	if err := img.Truncate(size); err != nil {
		return 0, err
	}
	noise := rand.NewChaCha8([32]byte{1})
	r := rand.New(rand.NewPCG(1, 2))
	for pos := int64(0); data > 0; extents++ {
		n := min(draw(r, lengths), data)
		if pos+n > size {
			return 0, fmt.Errorf("the image is too small for its data")
		}
		at := io.NewOffsetWriter(img, pos)
		if _, err := io.CopyN(io.MultiWriter(at, alone), noise, n); err != nil {
			return 0, err
		}
		data -= n
		pos += n + min(draw(r, gaps), max(0, size-pos-n-data)/fsBlock*fsBlock)
	}
	if err := img.Sync(); err != nil {
		return 0, err
	}
	return extents, alone.Sync()
}

// fill writes other data all over the disk.
func fill(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 4<<20)
	for i := range b {
		b[i] = 'S'
	}
	for off := int64(0); off < size; off += int64(len(b)) {
		if _, err := f.WriteAt(b[:min(int64(len(b)), size-off)], off); err != nil {
			return err
		}
	}
	return f.Sync()
}

// warm reads the data of a file, so that everybody finds it in the page cache.
func warm(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for end := int64(0); ; {
		start, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return err
		}
		if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
			return err
		}
		section := io.NewSectionReader(f, start, end-start)
		if _, err := io.Copy(struct{ io.Writer }{io.Discard}, section); err != nil {
			return err
		}
	}
}
