package vm

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"snf-image/internal/report"
)

// Bounds of what is kept of a console.
const (
	maxLines     = 60
	maxLogged    = 2000 // lines passed on to the debug log
	maxLineBytes = 4096 // a longer one is cut into several
)

// console keeps the last lines of untrusted output. It shows them without what redact
// takes out, escaped and bounded.
type console struct {
	log    *slog.Logger
	name   string
	redact func(string) string // nil takes nothing out
	crash  *crash

	mu      sync.Mutex
	partial []byte
	lines   []string
	logged  int
}

func newConsole(cfg Config, name string) *console {
	return &console{log: cfg.Log, name: name, redact: cfg.Redact, crash: newCrash()}
}

// Write takes output in pieces of any size. It never fails.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		room := maxLineBytes - len(c.partial)
		c.partial = append(c.partial, line[:min(len(line), room)]...)
		if found || len(c.partial) >= maxLineBytes {
			c.add(c.partial)
			c.partial = c.partial[:0]
		}
		p = rest
	}
	return n, nil
}

func (c *console) add(line []byte) {
	text := strings.TrimRight(string(line), "\r")
	if text == "" {
		return
	}
	c.crash.line(text)
	if c.log != nil && c.logged < maxLogged && c.log.Enabled(context.Background(), slog.LevelDebug) {
		c.logged++
		c.log.Debug(c.name, "line", c.shown(text))
	}
	if len(c.lines) == maxLines {
		c.lines = append(c.lines[:0], c.lines[1:]...)
	}
	c.lines = append(c.lines, text)
}

// shown returns a line fit for the log. A secret that is cut would not be found any
// more, so redact comes first.
func (c *console) shown(line string) string {
	if c.redact != nil {
		line = c.redact(line)
	}
	return report.Clean(line)
}

// Tail returns the last lines.
func (c *console) Tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.partial) > 0 {
		c.add(c.partial)
		c.partial = c.partial[:0]
	}
	var lines []string
	for _, l := range c.lines {
		lines = append(lines, c.shown(l))
	}
	return strings.Join(lines, "\n")
}

// drain reads r to its end, so that a guest that floods its console never
// blocks QEMU.
func (c *console) drain(r io.ReadCloser) {
	_, _ = io.Copy(c, r)
	_ = r.Close()
}
