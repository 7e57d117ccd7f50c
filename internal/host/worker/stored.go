package worker

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"snf-image/internal/host/format"
	"snf-image/internal/report"
)

// maxBehind is how much may follow the image in a stream: the padding of an archive.
const maxBehind = 64 << 20

// stored is what comes in: the bytes of the image as they are stored. Digests of them are
// made in passing.
type stored struct {
	source format.Source
	job    Job
	hashes map[string]hash.Hash
	file   chan error // what ended the reading of a file for its digests
	taken  atomic.Int64
}

func newStored(j Job) *stored {
	s := &stored{job: j, hashes: map[string]hash.Hash{}}
	for _, name := range j.Digests {
		s.hashes[name] = newHash(name)
	}
	s.source = format.Source{File: j.From, Stored: j.Stored, Spool: j.Spool, Largest: j.DiskSize, Look: j.Action == Look, Taken: &s.taken}
	if j.Stream {
		s.source.File, s.source.Stream = nil, &arriving{io.TeeReader(j.From, s), &s.taken}
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

// newHash returns the hash of that name, nil for one that is not known.
func newHash(name string) hash.Hash {
	switch name {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// Write adds to the digests.
func (s *stored) Write(p []byte) (int, error) {
	for _, h := range s.hashes {
		h.Write(p) //nolint:errcheck // a hash.Hash has no errors
	}
	return len(p), nil
}

// begin begins to read a file for its digests, beside whatever else is read of it.
func (s *stored) begin() {
	if s.job.Stream || len(s.hashes) == 0 {
		return
	}
	s.file = make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{io.NewSectionReader(s.job.From, 0, s.job.Stored)}, make([]byte, 1<<20))
		s.file <- err
	}()
}

// end reads what is behind the image in a stream and returns the digests. A stream that is
// not read to its end could have broken off.
func (s *stored) end() (map[string]string, error) {
	if s.job.Stream {
		n, err := io.CopyN(io.Discard, s.source.Stream, maxBehind+1)
		if err == nil {
			err = fmt.Errorf("%w: more than %d bytes follow the disk", format.ErrRefused, n-1)
		}
		if !errors.Is(err, io.EOF) {
			return nil, reading(report.Bare(err))
		}
	} else if s.file != nil {
		if err := <-s.file; err != nil {
			return nil, reading(report.Bare(err))
		}
	}
	if len(s.hashes) == 0 {
		return nil, nil
	}
	sums := map[string]string{}
	for name, h := range s.hashes {
		sums[name] = hex.EncodeToString(h.Sum(nil))
	}
	return sums, nil
}
