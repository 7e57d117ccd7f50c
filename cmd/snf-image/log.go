package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"snf-image/internal/report"
)

// lineHandler writes log records as "TIME snf-image: LEVEL: text key=value", one
// line each, control characters escaped. The scripts of the OS definition have
// "TIME [LEVEL] text" (docs/operating.md, Log).
type lineHandler struct {
	mu       *sync.Mutex
	w        io.Writer
	level    slog.Level
	attrs    string
	brackets bool
}

func newLogger(w io.Writer, debug bool) *slog.Logger {
	h := &lineHandler{mu: new(sync.Mutex), w: w, level: slog.LevelInfo}
	if debug {
		h.level = slog.LevelDebug
	}
	return slog.New(h)
}

// newScriptLogger returns the logger of the scripts of the OS definition.
func newScriptLogger(w io.Writer, debug bool) *slog.Logger {
	l := newLogger(w, debug)
	l.Handler().(*lineHandler).brackets = true
	return l
}

var _ slog.Handler = (*lineHandler)(nil)

// Enabled implements slog.Handler.
func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements slog.Handler.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attribute(a))
		return true
	})
	level := strings.ToLower(r.Level.String())
	if r.Level == slog.LevelWarn {
		level = "warning"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	prefix := "snf-image: " + level + ":"
	if h.brackets {
		prefix = "[" + strings.ToUpper(level) + "]"
	}
	_, err := fmt.Fprintf(h.w, "%s %s %s\n", r.Time.Format(report.TimeFormat), prefix, report.Printable(b.String()))
	return err
}

// WithAttrs implements slog.Handler.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += attribute(a)
	}
	return &c
}

// WithGroup implements slog.Handler; groups are ignored.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

func attribute(a slog.Attr) string { return fmt.Sprintf(" %s=%v", a.Key, a.Value.Resolve()) }
