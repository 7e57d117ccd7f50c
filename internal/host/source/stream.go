package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"snf-image/internal/host/fetch"
	"snf-image/internal/report"
)

// Stream is an image on its way from a URL to the worker, through a pipe.
type Stream struct {
	from *fetch.Stream
	out  *os.File   // the worker's end
	in   *os.File   // ours
	fed  chan error // how the feeding ended; nil until it began
	got  atomic.Int64
	tee  io.Writer // gets every byte; nil for nobody
}

// newStream makes the pipe. Under the image's name the worker's failures are about it.
func newStream(from *fetch.Stream, name string) (*Stream, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe to the image worker: %w", err), from.Close())
	}
	s := &Stream{from: from, out: os.NewFile(uintptr(ends[0]), name), in: os.NewFile(uintptr(ends[1]), name)}
	_, _ = unix.FcntlInt(s.in.Fd(), unix.F_SETPIPE_SZ, 1<<20) // only faster
	return s, nil
}

// Tee has every byte of the image written to w as well, as it comes. It has to be called
// before Feed; nothing is written any more when End returned no error.
func (s *Stream) Tee(w io.Writer) { s.tee = w }

// Feed sends the image to the worker, which holds its end of the pipe by now. Our copy of
// that end must be closed, or nobody would notice that the worker died.
func (s *Stream) Feed() {
	_ = s.out.Close()
	s.fed = make(chan error, 1)
	go func() {
		var from io.Reader = s.from
		if s.tee != nil {
			from = io.TeeReader(from, s.tee)
		}
		_, err := io.Copy(s.in, &counted{from, &s.got})
		s.fed <- err // before the worker can see the end
		_ = s.in.Close()
	}()
}

// End returns how the transfer ended. err is the worker's verdict, and the worker cannot
// distinguish a stream that broke off from a whole one.
func (s *Stream) End(ctx context.Context, err error) error {
	if ctx.Err() != nil || err != nil && report.KindOf(err) == report.Disk { // which a stream is not a reason for
		return err
	}
	var fed error
	if err == nil {
		fed = <-s.fed
	} else {
		select {
		case fed = <-s.fed:
		default: // the worker gave up first
		}
	}
	if fed == nil || errors.Is(fed, unix.EPIPE) {
		return err
	}
	return fetchFailure(s.out.Name(), fed)
}

// counted counts what is read.
type counted struct {
	from io.Reader
	got  *atomic.Int64
}

// Read reads.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.got.Add(int64(n))
	return n, err
}

// Received returns how many bytes have come so far.
func (s *Stream) Received() int64 { return s.got.Load() }

// Resumed returns how often the transfer was resumed so far.
func (s *Stream) Resumed() int { return s.from.Resumed() }

// close ends the transfer, whatever still goes on.
func (s *Stream) close() error {
	err := s.from.Close()
	if s.fed == nil {
		err = errors.Join(err, s.in.Close(), s.out.Close())
	}
	return err
}

// fetchFailure is the failure to get an image from a URL.
func fetchFailure(url string, err error) error {
	remedy := cmp.Or(fetch.Remedy(err), "check img_id, and whether this node reaches the server")
	return &report.Failure{Kind: report.Image, What: "fetching the image", On: fetch.Mask(url), Cause: err, Remedy: remedy}
}
