package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"snf-image/internal/report"
)

// Bounds of the patience with a server.
const (
	// maxTries is how often a server is asked again before anything new has come.
	maxTries = 5
	// firstPause is the pause before it is asked again, which doubles each time.
	firstPause = time.Second
	// maxAfter is the longest that a server may ask to be left alone.
	maxAfter = 2 * time.Minute
	// worthwhile is how many bytes have to come for the tries to be counted anew.
	worthwhile = 1 << 20
)

// ErrChanged is the error of a file that is not the same any more when the rest of it is
// asked for.
var ErrChanged = errors.New("the file was changed on the server while it was fetched")

// ask describes a request. The zero value asks once for the whole file.
type ask struct {
	again   bool    // the rest may be asked for later
	from    int64   // the first byte that is wanted
	to      int64   // the byte behind the last one that is wanted, 0 for all
	version version // of the file, when from is not 0
	length  int64   // of the whole file then, -1 when it is not known
}

// part is a file from some byte on, as one connection delivers it.
type part struct {
	io.ReadCloser
	version version
	length  int64    // of the whole file, -1 when it is not known
	until   int64    // how many bytes of the file have come with it, -1 when it is not known
	at      *url.URL // where redirects led
	ranges  bool     // the file can be fetched in pieces
}

// part sends one request for u.
func (c *Client) part(ctx context.Context, u *url.URL, a ask, m *meter) (*part, error) {
	switch u.Scheme {
	case "ftp", "ftps":
		return c.openFTP(ctx, u, a, m)
	case "file":
		return c.openFile(u)
	}
	return c.openHTTP(ctx, u, a, m)
}

// Download opens a URL like Open, and is patient: a server that cannot be reached or is
// busy is asked again a few times, and where a connection breaks the rest is asked for.
// All bytes are of one version of the file, or the stream ends with an error. note
// takes a line about each pause and each resumption.
func (c *Client) Download(ctx context.Context, text string, note func(string)) (*Stream, error) {
	u, err := c.checked(text)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.limit(ctx)
	d := &download{ctx: ctx, cancel: cancel, client: c, meter: c.meter(), note: note, origin: u, next: u, length: -1, pace: pace{rule: c.pieces}, inPieces: -1}
	if err := d.connect(nil); err != nil {
		cancel()
		return nil, err
	}
	return &Stream{ReadCloser: d, Length: d.length, At: d.next.String(), resumed: &d.resumed}, nil
}

// download is a file that comes over one connection after the other.
type download struct {
	ctx    context.Context
	cancel context.CancelFunc
	client *Client
	meter  *meter
	note   func(string)

	origin, next *url.URL // as named, and the one to ask for the rest
	version      version
	length       int64 // -1 when it is not known
	got          int64 // bytes so far
	counted      int64 // bytes when tries was 0
	tries        int
	ended        error // of the connection; nil while it delivers
	resumed      atomic.Int32
	pace         pace  // of one connection
	inPieces     int64 // bytes before several connections were used, -1 before

	mu     sync.Mutex // protects the fields below
	part   *part
	closed bool
}

// Read reads from one connection after the other.
func (d *download) Read(p []byte) (int, error) {
	for {
		if d.ended == nil {
			begin := time.Now()
			n, err := d.part.Read(p)
			d.pace.add(n, time.Since(begin))
			d.ended = err
			if n > 0 {
				return n, d.add(n)
			}
		}
		if d.ended == nil {
			continue
		}
		if err := d.goOn(); err != nil {
			return 0, err
		}
	}
}

// add counts bytes.
func (d *download) add(n int) error {
	d.got += int64(n)
	if d.part.until >= 0 && d.got > d.part.until {
		d.ended = fmt.Errorf("the server sent more than the %d bytes it announced", d.part.until)
		return d.ended
	}
	if d.got-d.counted >= worthwhile {
		d.tries, d.counted = 0, d.got
	}
	if d.ended == nil && d.part.ranges && d.pace.slow() && d.length-d.got >= d.pace.rule.least {
		d.spread()
	}
	return nil
}

// goOn goes on behind the end of a connection. It returns io.EOF at the end of the file.
func (d *download) goOn() error {
	err := d.ended
	if errors.Is(err, io.EOF) {
		if d.got == max(d.part.until, d.length) || d.part.until < 0 && d.length < 0 {
			return io.EOF
		}
		err = &temporary{error: errBroken}
	}
	if _, ok := errors.AsType[*temporary](err); !ok {
		return err
	}
	if !d.version.known() {
		d.ended = fmt.Errorf("%w, after %d bytes, and %w, for %s", err, d.got, errFinal, d.version.why)
		return d.ended
	}
	d.drop()
	if err := d.connect(err); err != nil {
		d.ended = fmt.Errorf("%w, after %d bytes, and resuming it failed: %w", d.broken(), d.got, err)
		return d.ended
	}
	d.ended = nil
	return nil
}

// broken returns the reason why the connection ended, for messages.
func (d *download) broken() error {
	if errors.Is(d.ended, io.EOF) {
		return errBroken
	}
	return d.ended
}

// connect asks for the rest of the file until it comes, with pauses. broken is why there
// is one; nil at first.
func (d *download) connect(broken error) error {
	for cause := broken; ; {
		if cause != nil {
			if err := d.pause(cause); err != nil {
				return err
			}
		}
		p, err := d.client.part(d.ctx, d.next, ask{again: true, from: d.got, version: d.version, length: d.length}, d.meter)
		if err == nil {
			return d.take(p)
		}
		if gone(err) && d.next != d.origin { // a redirect may have led to an address of the moment
			d.next = d.origin
		} else if _, ok := errors.AsType[*temporary](err); !ok {
			return err
		}
		cause = err
	}
}

// take reads from a part from now on.
func (d *download) take(p *part) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errors.Join(context.Canceled, p.Close())
	}
	switch {
	case d.part == nil:
		d.version = p.version
	case d.got == 0 && (p.version != d.version || p.length != d.length): // it was asked for as a whole again
		return errors.Join(ErrChanged, p.Close())
	default:
		d.resumed.Add(1)
		d.note(fmt.Sprintf("the transfer is resumed after %d bytes", d.got))
	}
	d.part, d.next = p, p.at
	d.pace.reset()
	if d.inPieces >= 0 && d.got-d.inPieces >= d.pace.rule.least { // several have done well
		d.pace.done, d.inPieces = false, -1
	}
	d.length = max(d.length, p.length)
	return nil
}

// pause waits before the server is asked again because of cause, or returns why it is not.
func (d *download) pause(cause error) error {
	d.tries++
	if d.tries > maxTries {
		return fmt.Errorf("%w, and %d more tries were in vain", cause, maxTries)
	}
	wait := d.client.options.Pause << (d.tries - 1)
	wait -= rand.N(wait/2 + 1) // many may have lost the same server
	if t, ok := errors.AsType[*temporary](cause); ok && t.after > maxAfter {
		return fmt.Errorf("%w and %w for %s, which is longer than %s", cause, errBusy, t.after, maxAfter)
	} else if ok {
		wait = max(wait, t.after)
	}
	d.note(fmt.Sprintf("%v: trying again in %s", cause, wait.Round(time.Millisecond)))
	select {
	case <-time.After(wait):
		return nil
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

// spread goes on with several connections.
func (d *download) spread() {
	d.drop()
	d.note(fmt.Sprintf("%s a second over one connection: going on with %d", report.Bytes(d.pace.rate()), d.pace.rule.lanes))
	d.inPieces = d.got
	p := d.client.inPieces(d.ctx, d.next, ask{again: true, from: d.got, version: d.version, length: d.length}, d.meter)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = p.Close()
	}
	d.part = p
}

// drop closes a connection that is of no use any more.
func (d *download) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.part.Close()
}

// Close ends the transfer, whatever still goes on.
func (d *download) Close() error {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.part.Close()
}
