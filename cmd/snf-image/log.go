package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"snf-image/internal/report"
)

// lineHandler writes log records as "TIME snf-image: LEVEL: text key=value", one
// line each, control characters escaped. The scripts of the OS definition have
// "TIME [LEVEL] text" (interface-details section 8).
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
	_, err := fmt.Fprintf(h.w, "%s %s %s\n", r.Time.Format(report.TimeFormat), prefix, line(b.String()))
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

// WithGroup implements slog.Handler; groups have no place in our lines.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

// line escapes what would break a line or a terminal. Texts from the image are
// bounded long before they get here.
func line(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

func attribute(a slog.Attr) string { return fmt.Sprintf(" %s=%v", a.Key, a.Value.Resolve()) }
