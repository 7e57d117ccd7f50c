package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"snf-image/internal/report"
)

// hostLog passes on to the host whatever is logged, for IMAGE_DEBUG, beside what
// goes to the console.
type hostLog struct {
	slog.Handler
	emit func(report.Event)
	left *atomic.Int32 // events that may still be sent
}

// maxDebug bounds the events of one run: the host takes only so many messages.
const maxDebug = 1500

func newHostLog(console slog.Handler, emit func(report.Event)) hostLog {
	h := hostLog{console, emit, new(atomic.Int32)}
	h.left.Store(maxDebug)
	return h
}

// maxLogged bounds the lines of one record that the host gets: the last ones, which
// say how it ended.
const maxLogged = 200

// Enabled says yes: the host decides what it shows.
func (h hostLog) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs and WithGroup keep the host's log: nobody here uses them for more.
func (h hostLog) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup is like WithAttrs.
func (h hostLog) WithGroup(string) slog.Handler { return h }

// Handle sends one event for each line of the record.
func (h hostLog) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[max(0, len(lines)-maxLogged):] {
		switch left := h.left.Add(-1); {
		case left > 0:
			h.emit(report.Event{Kind: report.Debug, Messages: []string{line}})
		case left == 0:
			h.emit(report.Event{Kind: report.Debug, Messages: []string{"more lines are left out"}})
		}
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
