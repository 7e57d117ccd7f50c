package worker

import (
	"fmt"
	"iter"
	"net"
	"os"

	"snf-image/internal/host/format"
	"snf-image/internal/host/nbd"
	"snf-image/internal/host/target"
)

// writer returns the target.Writer on the disk of j.
func (j Job) writer() (*target.Writer, error) {
	if j.Server == nil {
		return target.NewWriter(j.To, j.Head, j.Tail, j.DiskSize)
	}
	c, err := client(j.To, *j.Server)
	if err != nil {
		return nil, err
	}
	return target.NewRemoteWriter(c, j.Head, j.Tail, j.DiskSize)
}

// exported returns the disk that j exports.
func (j Job) exported() (format.Disk, error) {
	if j.Server == nil {
		return format.File(j.From)
	}
	c, err := client(j.From, *j.Server)
	if err != nil {
		return nil, err
	}
	return served{c}, nil
}

// client takes up the connection f. It ends with this process.
func client(f *os.File, e nbd.Export) (*nbd.Client, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("taking up the connection to the disk: %w", err)
	}
	return nbd.NewClient(conn, e), nil
}

// served is a disk behind an NBD server.
type served struct{ *nbd.Client }

var _ format.Disk = served{}

// Size returns the length of the export.
func (s served) Size() int64 { return s.Export().Size }

// statusStep is what the server is asked about at once: some take long to answer.
const statusStep = 1 << 30

// Extents asks the server what reads as zero.
func (s served) Extents() iter.Seq2[format.Extent, error] {
	return func(yield func(format.Extent, error) bool) {
		for pos := int64(0); pos < s.Size(); {
			known, err := s.Status(pos, min(statusStep, s.Size()-pos))
			if err != nil {
				yield(format.Extent{}, fmt.Errorf("finding the extents at %d: %w", pos, err))
				return
			}
			for _, e := range known {
				if !yield(format.Extent{Offset: pos, Length: e.Length, Zero: e.Zero}, nil) {
					return
				}
				pos += e.Length
			}
		}
	}
}
