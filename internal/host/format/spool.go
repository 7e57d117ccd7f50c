package format

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/room"
	"snf-image/internal/report"
)

// spool brings a stream to a file that can be read in any order. How long it may be
// follows from its header, so that it ends whatever a server sends.
func (c *content) spool(d decoder, s Source) (*os.File, error) {
	if err := d.fits(c.head, s.Largest); err != nil {
		return nil, err
	}
	most, disk, err := d.bounds(c.head)
	switch {
	case err != nil:
		return nil, err
	case s.Spool == nil:
		return nil, fmt.Errorf("%w: %s has to be in a file, for it is read in any order", ErrRefused, d.title)
	case c.size > most:
		return nil, d.explain(fmt.Errorf("%w: it has %d bytes, and its disk of %d bytes takes at most %d", ErrRefused, c.size, disk, most))
	}
	if err := room.For(s.Spool, c.size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRoom, err)
	}
	if s.Spooling != nil {
		s.Spooling()
	}
	n, err := io.Copy(&room.Keeper{File: s.Spool}, io.LimitReader(c.stream, most+1))
	var short room.Short
	switch {
	case errors.As(err, &short):
		return nil, fmt.Errorf("%w: %w", ErrRoom, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return nil, fmt.Errorf("%w: %w after %d bytes", ErrRoom, report.Bare(err), n)
	case err != nil:
		return nil, report.Bare(err)
	case n > most:
		return nil, d.explain(fmt.Errorf("%w: it goes on after %d bytes, and its disk of %d bytes takes no more", ErrRefused, most, disk))
	}
	return s.Spool, nil
}

// bounds returns how long a stream that begins with head can be at most, and the size of
// its disk.
func (d *decoder) bounds(head []byte) (file, disk int64, err error) {
	file, disk, err = d.most(head)
	if errors.Is(err, ErrTruncated) && len(head) == d.head {
		err = fmt.Errorf("%w: its size stands more than %d bytes from its beginning, so it has to be in a file", ErrRefused, len(head))
	}
	return file, disk, d.explain(err)
}

// fits refuses a disk that is larger than largest by what its header says of it.
func (d *decoder) fits(head []byte, largest int64) error {
	if d.most == nil || d.unmarked && !d.is(head) || largest == 0 {
		return nil
	}
	_, disk, err := d.most(head)
	if err == nil && disk > largest {
		return tooLarge(disk, largest)
	}
	if errors.Is(err, ErrTruncated) {
		return nil // which is met again, and better known, when the file is opened
	}
	return d.explain(err)
}

func tooLarge(disk, largest int64) error {
	return fmt.Errorf("%w of %d bytes, this one has %d", ErrTooLarge, disk, largest)
}
