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

// watch ends a transfer that stands still or is too slow. Only the time counts in
// which the server is waited for: what is done with the bytes may take its own.
type watch struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc

	rate   int64 // bytes a second, 0 for no limit
	window time.Duration
	since  time.Time     // when the wait began
	waited time.Duration // in this window
	got    int64         // bytes in it
}

// newWatch waits for the first thing to happen.
func newWatch(cancel context.CancelCauseFunc, o Options) *watch {
	return &watch{
		timer: time.AfterFunc(o.Idle, func() { cancel(errIdle) }), limit: o.Idle, cancel: cancel,
		rate: o.Rate, window: o.Window, since: time.Now(),
	}
}

// start begins to wait for something.
func (w *watch) start() {
	w.since = time.Now()
	w.timer.Reset(w.limit)
}

// pause says that so many bytes came: what is done with them may take its time. A
// server that drips is never idle, so each window of waiting has its least.
func (w *watch) pause(bytes int) error {
	w.timer.Stop()
	w.got += int64(bytes)
	w.waited += time.Since(w.since)
	if w.rate == 0 || w.waited < w.window {
		return nil
	}
	if got, least := float64(w.got), float64(w.rate)*w.waited.Seconds(); got < least {
		err := fmt.Errorf("%w: the server sent %d bytes in %s, and %d a second are the least", ErrSlow, w.got, w.waited.Round(time.Millisecond), w.rate)
		w.cancel(err)
		return err
	}
	w.waited, w.got = 0, 0
	return nil
}

// end ends the transfer, whatever still goes on.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}
