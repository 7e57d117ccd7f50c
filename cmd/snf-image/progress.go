package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"snf-image/internal/host/worker"
	"snf-image/internal/report"
)

// display shows progress in one of the ways of --progress.
type display struct {
	sink     report.Sink
	progress func(worker.Progress) // nil: not wanted
	log      *slog.Logger
	lines    io.Writer // of log
	end      func()
}

// display returns the display for mode; auto is a bar on a terminal and plain
// lines elsewhere.
func (a *app) display(mode string) (*display, error) {
	d := &display{sink: report.Sinks{}, log: a.log, lines: a.stderr, end: func() {}}
	switch mode {
	case "none":
		d.sink = warnings{a.log}
	case "json":
		d.sink = report.Sinks{report.NewJSONSink(a.stdout, "", time.Now), warnings{a.log}}
	case "plain":
		d.sink = report.NewTextSink(a.stderr, time.Now)
	case "auto":
		f, ok := a.stderr.(*os.File)
		if !ok || !term.IsTerminal(int(f.Fd())) {
			return a.display("plain")
		}
		b := newBar(f)
		d.sink, d.progress, d.end = b, b.copied, b.end
		d.log, d.lines = newLogger(b, a.debug), b
	default:
		return nil, fmt.Errorf("--progress %s: expected auto, plain, json or none", mode)
	}
	return d, nil
}

// warnings logs those of the tasks, where no other display shows them.
type warnings struct{ log *slog.Logger }

// Send implements report.Sink.
func (w warnings) Send(m report.Message) {
	if m.Subtype != report.SubtypeWarning {
		return
	}
	for _, text := range m.Messages {
		if m.Task != "" {
			text = m.Task + ": " + text
		}
		w.log.Warn(text)
	}
}

// bar draws the copy as a bar and everything else as lines above it.
type bar struct {
	text *report.TextSink

	mu        sync.Mutex
	all       *mpb.Progress
	copy      *mpb.Bar
	unpacking bool // the bar is that of what comes before the copy
	at        time.Time
}

var (
	_ report.Sink = (*bar)(nil)
	_ report.Sink = warnings{}
	_ io.Writer   = (*bar)(nil)
)

func newBar(w io.Writer) *bar {
	b := &bar{all: mpb.New(mpb.WithOutput(w), mpb.WithWidth(64), mpb.WithRefreshRate(150*time.Millisecond))}
	b.text = report.NewTextSink(b, time.Now)
	return b
}

// Write puts whole lines above the bar.
func (b *bar) Write(p []byte) (int, error) { return b.all.Write(p) }

// Send shows what the bar does not.
func (b *bar) Send(m report.Message) {
	if m.Type != report.ImageCopyProgress {
		b.text.Send(m)
	}
}

// copied moves the bar, which appears with the first call. Where the image is unpacked
// first there is a second one.
func (b *bar) copied(p worker.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.copy != nil && b.unpacking != p.Unpacking {
		b.copy.SetTotal(-1, true) // where it is, whose length was perhaps unknown
		b.copy = nil
	}
	if b.copy == nil {
		b.at, b.unpacking = now, p.Unpacking
		b.copy = b.add(p)
	}
	b.copy.SetTotal(p.Total, false)
	b.copy.EwmaSetCurrent(p.Position, now.Sub(b.at))
	b.at = now
	if p.Position == p.Total && p.Total > 0 { // the length of a stream may be unknown
		b.copy.SetTotal(p.Total, true)
	}
}

// add appends a bar.
func (b *bar) add(p worker.Progress) *mpb.Bar {
	name := "copy "
	if p.Unpacking {
		name = "read "
	}
	return b.all.AddBar(p.Total,
		mpb.PrependDecorators(decor.Name(name), decor.Counters(decor.SizeB1024(0), "% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  "),
			decor.EwmaSpeed(decor.SizeB1024(0), "% .1f", 10), decor.Name("  ETA "), decor.EwmaETA(decor.ET_STYLE_GO, 10)))
}

// end leaves the bar as it is and waits until the last line is drawn.
func (b *bar) end() {
	b.mu.Lock()
	if b.copy != nil {
		b.copy.Abort(false)
	}
	b.mu.Unlock()
	b.all.Wait()
}
