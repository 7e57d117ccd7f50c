package worker

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"snf-image/internal/host/format"
	"snf-image/internal/report"
)

// maxBehind is how much may follow the image in a stream: the padding of an archive.
const maxBehind = 64 << 20

// stored is what comes in: the bytes of the image as they are stored.
type stored struct {
	source format.Source
	job    Job
	taken  atomic.Int64
}

func newStored(j Job) *stored {
	s := &stored{job: j}
	s.source = format.Source{File: j.From, Stored: j.Stored, Spool: j.Spool, Largest: j.DiskSize, Look: j.Action == Look, Taken: &s.taken}
	if j.Stream {
		s.source.File, s.source.Stream = nil, &arriving{j.From, &s.taken}
	}
	return s
}

// progress returns how far the image is unpacked.
func (s *stored) progress() Progress {
	return Progress{Unpacking: true, Position: s.taken.Load(), Total: s.job.Stored}
}

// arriving counts what comes in.
type arriving struct {
	from io.Reader
	n    *atomic.Int64
}

// Read reads.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	a.n.Add(int64(n))
	return n, err
}

// end reads what is behind the image in a stream. A stream that is not read to its end could
// have broken off.
func (s *stored) end() error {
	if !s.job.Stream {
		return nil
	}
	n, err := io.CopyN(io.Discard, s.source.Stream, maxBehind+1)
	if err == nil {
		err = fmt.Errorf("%w: more than %d bytes follow the disk", format.ErrRefused, n-1)
	}
	if !errors.Is(err, io.EOF) {
		return reading(report.Bare(err))
	}
	return nil
}
