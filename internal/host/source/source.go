// Package source opens the stored image, wherever it is: a file in IMAGE_DIR, a path, a
// URL. It vouches for a file being a regular file or a block device.
//
// It reads nothing of the image. The image worker decides about the meaning of the bytes,
// and gets a descriptor instead of a path.
package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/trust"
	"snf-image/internal/report"
)

// Image is an opened image.
type Image struct {
	Name   string   // its path, or its URL fit for logs
	Stored int64    // bytes as stored; of a stream as declared, 0 when nothing was
	File   *os.File // can be read in any order, but for a stream
	Device bool     // a block device, not a regular file
	Stream *Stream  // nil for a file; its bytes come through File
	Place  trust.Place
}

// Open opens the image at path for reading. Everything that cannot be an image
// is refused with a *report.Failure of kind Image; opening never blocks.
func Open(path string) (*Image, error) {
	// O_NONBLOCK: a FIFO without a writer would hang here.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, refuse(path, err, remedyOpen(err))
	}
	f := os.NewFile(uintptr(fd), path)
	img, err := inspect(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return img, nil
}

// Close closes the image.
func (i *Image) Close() error {
	switch {
	case i.Stream != nil:
		return i.Stream.close()
	case i.File == nil:
		return nil
	}
	return i.File.Close()
}

func inspect(f *os.File, path string) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, refuse(path, report.Bare(err), "")
	}
	device := st.Mode()&fs.ModeType == fs.ModeDevice
	if !device && !st.Mode().IsRegular() {
		return nil, refuse(path, fmt.Errorf("it is %s", kindOf(st.Mode())), "name an image file or a block device")
	}
	size, err := sizeOf(f)
	if err != nil {
		return nil, refuse(path, report.Bare(err), "")
	}
	return &Image{File: f, Name: path, Stored: size, Device: device}, nil
}

// sizeOf works for files and block devices alike, and leaves the offset at 0.
func sizeOf(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return size, err
}

// kindOf names the kind of a file that is neither regular nor a block device.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeCharDevice != 0:
		return "a character device"
	}
	return "neither a file nor a block device"
}

func refuse(path string, cause error, remedy string) error {
	return &report.Failure{Kind: report.Image, What: "opening the image", On: path, Cause: cause, Remedy: remedy}
}

func remedyOpen(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "check the name of the image"
	case errors.Is(err, fs.ErrPermission):
		return "make the image readable for the user who runs this"
	case errors.Is(err, unix.ENXIO):
		return "name an image file or a block device" // a socket
	}
	return ""
}
