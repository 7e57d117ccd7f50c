package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"snf-image/internal/report"
)

// hostLog passes on to the host whatever is logged, for IMAGE_DEBUG, beside what
// goes to the console.
type hostLog struct {
	slog.Handler
	emit func(report.Event)
}

// maxLogged bounds the lines of one record that the host gets: the last ones, which
// say how it ended.
const maxLogged = 200

// Enabled says yes: the host decides what it shows.
func (h hostLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle sends one event for each line of the record.
func (h hostLog) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[max(0, len(lines)-maxLogged):] {
		h.emit(report.Event{Kind: report.Debug, Messages: []string{line}})
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
