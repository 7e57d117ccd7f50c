package format

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/report"
)

// spool brings a stream to a file that can be read in any order. How long it may be
// follows from its header, so that it ends whatever a server sends.
func (c *content) spool(d decoder, s Source) (*os.File, error) {
	if err := d.fits(c.head, s.Largest); err != nil {
		return nil, err
	}
	most, disk, err := d.most(c.head)
	switch {
	case err != nil:
		return nil, err
	case s.Spool == nil:
		return nil, fmt.Errorf("%w: %s has to be in a file, for it is read in any order", ErrRefused, d.title)
	case c.size > most:
		return nil, fmt.Errorf("%w: it has %d bytes, and its disk of %d bytes takes at most %d", ErrRefused, c.size, disk, most)
	}
	if err := roomFor(s.Spool, c.size); err != nil {
		return nil, err
	}
	n, err := io.Copy(&keeper{file: s.Spool}, io.LimitReader(c.stream, most+1))
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return nil, fmt.Errorf("%w: %w after %d bytes", ErrRoom, report.Bare(err), n)
	case err != nil:
		return nil, report.Bare(err)
	case n > most:
		return nil, fmt.Errorf("%w: it goes on after %d bytes, and its disk of %d bytes takes no more", ErrRefused, most, disk)
	}
	return s.Spool, nil
}

// fits refuses a disk that is larger than largest by what its header says of it.
func (d *decoder) fits(head []byte, largest int64) error {
	if d.most == nil || largest == 0 {
		return nil
	}
	_, disk, err := d.most(head)
	if err == nil && disk > largest {
		err = tooLarge(disk, largest)
	}
	return err
}

func tooLarge(disk, largest int64) error {
	return fmt.Errorf("%w of %d bytes, this one has %d", ErrTooLarge, disk, largest)
}
