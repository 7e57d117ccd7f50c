package format

import (
	"archive/tar"
	"bufio"
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
	from   io.Reader
	tar    *tar.Reader
	member *bufio.Reader
	count  int
	beside int64
}

// openTar finds the disk.
func openTar(r io.Reader) (io.Reader, int64, error) {
	a := &archive{from: r, tar: tar.NewReader(r)}
	h, err := a.next()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: none of its members is a disk", ErrRefused)
	}
	if err != nil {
		return nil, 0, err
	}
	return a, h.Size, nil
}

// next goes to the next member that is a disk.
func (a *archive) next() (*tar.Header, error) {
	for {
		h, err := a.tar.Next()
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
		if a.beside += h.Size; a.beside > maxBeside {
			return nil, fmt.Errorf("%w: it has more than %d bytes of other members", ErrRefused, maxBeside)
		}
	}
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
	}
	if _, err := a.next(); err == nil {
		return 0, fmt.Errorf("%w: it holds more than one disk", ErrRefused)
	} else if !errors.Is(err, io.EOF) {
		return 0, err
	}
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
