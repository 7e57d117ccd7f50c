package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// pieces is the rule by which a file is fetched in pieces, over several connections at
// once. That helps where a connection is slow by itself, and the line is not: over long
// distances, where packets get lost.
type pieces struct {
	lanes int   // connections
	size  int64 // bytes of a piece
	ahead int   // pieces that may wait for the reader
	skip  int64 // bytes at the start of a connection that tell nothing about its rate
	look  int64 // bytes behind them by which it is judged
	fast  int64 // bytes a second from which on one connection is enough
	least int64 // bytes that have to be left to come
}

// defaultPieces keeps at most ahead + 2 pieces in memory, 32 MiB.
func defaultPieces() pieces {
	return pieces{lanes: 4, size: 4 << 20, ahead: 6, skip: 4 << 20, look: 12 << 20, fast: 48 << 20, least: 64 << 20}
}

// pace measures one connection.
type pace struct {
	rule   pieces
	got    int64
	waited time.Duration // for what came behind rule.skip
	done   bool          // nothing more is to be found out
}

// reset begins with another connection.
func (p *pace) reset() { p.got, p.waited = 0, 0 }

// add counts bytes that were waited for.
func (p *pace) add(n int, waited time.Duration) {
	if p.got += int64(n); p.got > p.rule.skip {
		p.waited += waited
	}
}

// rate is how many bytes a second came.
func (p *pace) rate() int64 {
	return int64(float64(p.got-p.rule.skip) / max(p.waited, time.Microsecond).Seconds())
}

// slow reports whether the connection is known to be slow. It is judged once.
func (p *pace) slow() bool {
	if p.done || p.got < p.rule.skip+p.rule.look {
		return false
	}
	p.done = true
	return p.rate() < p.rule.fast
}

// piece is a piece of a file.
type piece struct {
	b   []byte
	err error
}

// order is a piece to be fetched.
type order struct {
	ask ask
	to  chan<- piece
}

// spread is the rest of a file, in pieces that come over several connections.
type spread struct {
	ctx    context.Context
	cancel context.CancelFunc
	meter  *meter
	queue  chan chan piece // in the order of the file
	left   []byte          // of the piece that is read
	gone   sync.WaitGroup
}

// inPieces returns the rest of the file at u. The errors of it are temporary, unless it
// was changed: one connection may still do what several cannot.
func (c *Client) inPieces(ctx context.Context, u *url.URL, a ask, m *meter) *part {
	ctx, cancel := context.WithCancel(ctx)
	s := &spread{ctx: ctx, cancel: cancel, meter: m, queue: make(chan chan piece, c.pieces.ahead)}
	orders := make(chan order)
	s.gone.Go(func() { s.plan(a, c.pieces.size, orders) })
	for range c.pieces.lanes {
		s.gone.Go(func() { c.lane(ctx, u, orders) })
	}
	return &part{ReadCloser: s, version: a.version, length: a.length, until: a.length, at: u}
}

// plan orders all pieces, as far ahead as the queue lets it.
func (s *spread) plan(a ask, size int64, orders chan<- order) {
	defer close(orders)
	defer close(s.queue)
	for from := a.from; from < a.length; from += size {
		to := make(chan piece, 1)
		next := a
		next.from, next.to = from, min(from+size, a.length)
		select {
		case s.queue <- to:
		case <-s.ctx.Done():
			return
		}
		select {
		case orders <- order{next, to}:
		case <-s.ctx.Done():
			return
		}
	}
}

// lane fetches pieces over one connection.
func (c *Client) lane(ctx context.Context, u *url.URL, orders <-chan order) {
	t, err := c.transport(u)
	if err == nil {
		t.DisableKeepAlives = false
		defer t.CloseIdleConnections()
	}
	// A lane that drips would be noticed only when its piece is whole.
	m := &meter{rate: c.options.Rate / int64(c.pieces.lanes), window: c.options.Window}
	for o := range orders {
		p := piece{err: err}
		if err == nil {
			p.b, p.err = c.piece(ctx, t, u, o.ask, m)
		}
		o.to <- p
	}
}

// piece fetches one piece.
func (c *Client) piece(ctx context.Context, t *http.Transport, u *url.URL, a ask, m *meter) ([]byte, error) {
	p, next, err := c.get(ctx, t, u, a, m)
	if err != nil {
		return nil, err
	}
	if next != nil {
		return nil, fmt.Errorf("it redirects to %s, for a piece of the file", Mask(next.String()))
	}
	defer p.Close() //nolint:errcheck // it is read to its end, or of no use
	b := make([]byte, a.to-a.from)
	if _, err := io.ReadFull(p, b); err != nil {
		return nil, err
	}
	if n, err := io.CopyN(io.Discard, p, 1); n > 0 || !errors.Is(err, io.EOF) { // the connection is free behind the end
		return nil, errors.Join(misranged("the server sent more than the piece that was asked for"), err)
	}
	return b, nil
}

// Read reads one piece after the other.
func (s *spread) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		begin := time.Now()
		next, err := s.next()
		if err != nil {
			return 0, err
		}
		if err := s.meter.add(len(next), time.Since(begin)); err != nil {
			return 0, err
		}
		s.left = next
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// next waits for the next piece.
func (s *spread) next() ([]byte, error) {
	to, ok := <-s.queue
	if !ok {
		if s.ctx.Err() != nil {
			return nil, context.Cause(s.ctx)
		}
		return nil, io.EOF
	}
	select {
	case got := <-to:
		if got.err == nil || errors.Is(got.err, ErrChanged) || s.ctx.Err() != nil {
			return got.b, got.err
		}
		return nil, &temporary{error: fmt.Errorf("%w: %w", errBroken, got.err)}
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

// Close ends all connections.
func (s *spread) Close() error {
	s.cancel()
	s.gone.Wait()
	return nil
}
