// Package source opens the stored image and vouches for what it is: a regular
// file or a block device, not empty, a whole number of sectors long.
//
// It reads no more of the image than its first sector, to refuse other formats by their
// name. What the bytes mean is decided in the image worker, which gets the descriptor and
// no path.
package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/foreign"
	"snf-image/internal/report"
)

// Sector is the unit in which every disk is counted.
const Sector = 512

// Image is an opened image, or one that is still to come from a URL.
type Image struct {
	File   *os.File // nil for one that is to come
	Path   string   // or the URL, fit for logs
	Size   int64    // bytes as stored; 0 while that is not known
	Device bool     // a block device, not a regular file
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
	if i.File == nil {
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
	if err := notForeign(f, path); err != nil {
		return nil, err
	}
	if err := CheckSize(path, size); err != nil {
		return nil, err
	}
	return &Image{File: f, Path: path, Size: size, Device: device}, nil
}

// notForeign refuses what is recognisably not the dump of a disk.
func notForeign(f *os.File, path string) error {
	header := make([]byte, foreign.HeaderSize)
	n, err := f.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return refuse(path, fmt.Errorf("reading its first sector: %w", report.Bare(err)), "")
	}
	if foreign := foreign.Recognize(header[:n]); foreign != nil {
		return refuse(path, foreign, foreign.Remedy)
	}
	return nil
}

// CheckSize refuses lengths in bytes that no dump of a disk has.
func CheckSize(path string, size int64) error {
	if size == 0 {
		return refuse(path, errors.New("it is empty"), "fetch or make the image again")
	}
	if rest := size % Sector; rest != 0 {
		err := fmt.Errorf("its %d bytes are no whole number of %d-byte sectors (%d too many), so it is cut short or no dump of a disk", size, Sector, rest)
		return refuse(path, err, "fetch or make the image again, or name its real format")
	}
	return nil
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

// kindOf says in words what is neither a file nor a block device.
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
