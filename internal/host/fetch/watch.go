package fetch

import (
	"context"
	"errors"
	"time"
)

// errIdle is the cause of the end of a transfer that stood still.
var errIdle = errors.New("the server did not send anything for too long")

// watch ends a transfer that stands still.
type watch struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

// newWatch waits for the first thing to happen.
func newWatch(cancel context.CancelCauseFunc, limit time.Duration) *watch {
	return &watch{time.AfterFunc(limit, func() { cancel(errIdle) }), limit, cancel}
}

// start begins to wait for something.
func (w *watch) start() { w.timer.Reset(w.limit) }

// pause says that it came: what is done with it may take its time.
func (w *watch) pause() { w.timer.Stop() }

// end ends the transfer, whatever still goes on.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}
