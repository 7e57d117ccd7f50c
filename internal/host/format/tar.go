package format

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"snf-image/internal/host/foreign"
)

// Bounds of an archive.
const (
	maxMembers = 1000
	// smallDisk is the length from which a member without the mark of a format is taken
	// for a disk. Descriptions, manifests, certificates and NVRAM are shorter.
	smallDisk = 1 << 20
	// maxBeside is how many bytes of other members are passed over.
	maxBeside = 64 << 20
	// maxBehind is how many bytes may follow the end of an archive: tar fills its last
	// record, of 10 KiB unless it is told otherwise.
	maxBehind = 64 << 20
)

// archive reads the one member of a tar archive that is a disk.
type archive struct {
	from   *toEnd
	tar    *tar.Reader
	member *bufio.Reader
	count  int
	beside int64
	// packed is a small compressed member: the disk, unless there is another one.
	packed []byte
	found  bool // a disk
	done   bool // the end of the archive was seen
}

// toEnd remembers that a reader has come to its end.
type toEnd struct {
	io.Reader
	ended bool
}

func (e *toEnd) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil // which comes again
	}
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}

// openTar finds the disk.
func openTar(r io.Reader) (io.Reader, int64, error) {
	from := &toEnd{Reader: r}
	a := &archive{from: from, tar: tar.NewReader(from)}
	h, err := a.next()
	switch {
	case err == nil:
		a.found = true
		return a, h.Size, nil
	case !errors.Is(err, io.EOF):
		return nil, 0, err
	case a.packed == nil:
		return nil, 0, fmt.Errorf("%w: none of its members is a disk", ErrRefused)
	}
	size := int64(len(a.packed))
	a.member = bufio.NewReader(bytes.NewReader(a.packed))
	return a, size, nil
}

// next goes to the next member that is a disk.
func (a *archive) next() (*tar.Header, error) {
	for {
		h, err := a.tar.Next()
		if errors.Is(err, io.EOF) && a.from.ended {
			return nil, fmt.Errorf("%w: two blocks of zeros that end every archive are missing", ErrTruncated)
		}
		if err != nil {
			return nil, err
		}
		if a.count++; a.count > maxMembers {
			return nil, fmt.Errorf("%w: it has more than %d members", ErrRefused, maxMembers)
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
			continue
		}
		a.member = bufio.NewReaderSize(a.tar, 64<<10)
		disk, err := a.isDisk(h)
		if err != nil || disk {
			return h, err
		}
		if err := a.pass(h.Size); err != nil {
			return nil, err
		}
	}
}

// pass passes over a member that is not a disk, or keeps it when it may hold one.
func (a *archive) pass(size int64) error {
	if a.beside += size; a.beside > maxBeside {
		return fmt.Errorf("%w: it has more than %d bytes of other members", ErrRefused, maxBeside)
	}
	if a.found {
		return nil
	}
	head, err := a.member.Peek(int(min(size, foreign.HeaderSize)))
	if err != nil || (&content{head: head}).layer() == nil {
		return err
	}
	if a.packed != nil {
		return fmt.Errorf("%w: it holds more than one small compressed member, and which is the disk cannot be told", ErrRefused)
	}
	a.packed, err = io.ReadAll(a.member)
	return err
}

// isDisk reports whether the current member is a disk: its bytes decide, not its name.
func (a *archive) isDisk(h *tar.Header) (bool, error) {
	if h.Size >= smallDisk {
		return true, nil
	}
	head, err := a.member.Peek(foreign.HeaderSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	for _, d := range decoders() {
		if d.is != nil && d.is(head) {
			return true, nil
		}
	}
	return false, nil
}

// Read reads the disk. Behind its end there must not be another one.
func (a *archive) Read(p []byte) (int, error) {
	n, err := a.member.Read(p)
	switch {
	case !errors.Is(err, io.EOF):
		return n, err
	case n > 0:
		return n, nil // the end comes again
	case a.done:
		return 0, io.EOF
	}
	if _, err := a.next(); err == nil {
		return 0, fmt.Errorf("%w: it holds more than one disk", ErrRefused)
	} else if !errors.Is(err, io.EOF) {
		return 0, err
	}
	a.done = true
	return 0, a.end()
}

// end reads what follows the archive: a compression around it proves at its own end that
// nothing of it was damaged.
func (a *archive) end() error {
	n, err := io.CopyN(io.Discard, a.from, maxBehind+1)
	if err == nil {
		return fmt.Errorf("%w: more than %d bytes follow the archive", ErrRefused, n-1)
	}
	return err
}
