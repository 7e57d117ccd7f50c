package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrSlow says that a transfer took longer than it may.
var ErrSlow = errors.New("the transfer takes too long")

// errIdle is the cause of the end of a transfer that stood still.
var errIdle = fmt.Errorf("%w: the server did not send anything for too long", ErrSlow)

// watch ends a connection that stands still or is too slow. Only the time counts in
// which the server is waited for, not the time in which the bytes are used.
type watch struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
	meter  *meter
	since  time.Time // when the wait began
}

// meter measures a transfer over all of its connections: a server that breaks them does
// not start anew with each.
type meter struct {
	rate   int64 // bytes a second, 0 for no limit
	window time.Duration
	waited time.Duration // in this window
	got    int64         // bytes in it
}

// meter returns the meter of a new transfer.
func (c *Client) meter() *meter { return &meter{rate: c.options.Rate, window: c.options.Window} }

// newWatch waits for the first thing to happen.
func newWatch(cancel context.CancelCauseFunc, limit time.Duration, m *meter) *watch {
	return &watch{
		timer: time.AfterFunc(limit, func() { cancel(errIdle) }), limit: limit, cancel: cancel,
		meter: m, since: time.Now(),
	}
}

// start begins to wait for something.
func (w *watch) start() {
	w.since = time.Now()
	w.timer.Reset(w.limit)
}

// pause says that so many bytes came. No time counts until the next start.
func (w *watch) pause(bytes int) error {
	w.timer.Stop()
	err := w.meter.add(bytes, time.Since(w.since))
	if err != nil {
		w.cancel(err)
	}
	return err
}

// add counts bytes that were waited for. A server that drips is never idle, so each
// window of waiting has its least.
func (m *meter) add(bytes int, waited time.Duration) error {
	m.got += int64(bytes)
	m.waited += waited
	if m.rate == 0 || m.waited < m.window {
		return nil
	}
	if got, least := float64(m.got), float64(m.rate)*m.waited.Seconds(); got < least {
		return fmt.Errorf("%w: the server sent %d bytes in %s, and %d a second are the least", ErrSlow, m.got, m.waited.Round(time.Millisecond), m.rate)
	}
	m.waited, m.got = 0, 0
	return nil
}

// end ends the transfer, whatever still goes on.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}
