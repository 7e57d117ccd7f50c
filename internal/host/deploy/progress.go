package deploy

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"snf-image/internal/host/worker"
	"snf-image/internal/report"
)

// mark reports a step of the whole flow to log and owner.
func (r *run) mark(text string) {
	r.Log.Debug(text)
	r.Sink.Send(report.Info(text))
}

// note reports what happens to a transfer to the log. It is safe for concurrent use.
func (r *run) note(text string) { r.Log.Warn(text) }

// debugLimit bounds the agent's debug messages in one deployment.
const debugLimit = 2000

func (r *run) debug(e report.Event) {
	for _, m := range e.Messages {
		if r.debugged++; r.debugged <= debugLimit {
			r.Log.Debug("helper: " + report.Clean(r.redactor.Redact(m)))
		}
	}
}

// ownerMessage returns what the owner of the instance may learn about err: what
// concerns the image and what happened inside it, not this node.
func (r *run) ownerMessage(err error) report.Message {
	f, ok := errors.AsType[*report.Failure](err)
	if ok && f.Kind == report.Task {
		return report.HelperError(r.failedTask(), f.Cause.Error())
	}
	switch report.KindOf(err) {
	case report.Image:
		return report.Error("the image is missing, damaged or refused")
	case report.Busy:
		return report.Error("the disk is in use")
	case report.Timeout:
		return report.Error("the customization took too long")
	}
	return report.Error("the deployment failed")
}

func (r *run) failedTask() string {
	for _, t := range r.record.Tasks {
		if t.Outcome == report.Failed {
			return t.Name
		}
	}
	return ""
}

// copyMessages thins the progress of a copy out to one message in
// report.ProgressInterval.
type copyMessages struct {
	sink      report.Sink
	progress  func(worker.Progress)
	unpacking string // what goes on before the copy, where the image is unpacked first

	mu   sync.Mutex
	now  worker.Progress
	last time.Time       // when a message was sent
	sent worker.Progress // and about what
}

// newCopyMessages returns one that calls progress, too, unless it is nil.
func newCopyMessages(sink report.Sink, progress func(worker.Progress), unpacking string) *copyMessages {
	if progress == nil {
		progress = func(worker.Progress) {}
	}
	return &copyMessages{sink: sink, progress: progress, unpacking: unpacking}
}

func (c *copyMessages) add(p worker.Progress) {
	c.progress(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = p
	passed := time.Since(c.last)
	over := p.Unpacking && p.Total > 0 && p.Position == p.Total && c.sent != p // the worker goes on to copy
	if passed < report.ProgressInterval && !over {
		return
	}
	rate := int64(0)
	if !c.last.IsZero() && p.Unpacking == c.sent.Unpacking && passed >= time.Second { // a shorter time says little
		rate = int64(float64(p.Position-c.sent.Position) / passed.Seconds())
	}
	c.last, c.sent = time.Now(), p
	c.sink.Send(c.message(p, rate))
}

// message returns what the owner is told. The progress of the copy alone goes from 0 to
// 100 %: what comes before it is a text.
func (c *copyMessages) message(p worker.Progress, rate int64) report.Message {
	m := report.CopyProgress(p.Position, p.Total)
	m.Rate = rate
	if p.Unpacking {
		return report.Info(c.unpacking + ": " + m.Amount())
	}
	return m
}

// end sends the last message, which says 100 %. Now the length of an image is
// known, if it was not before.
func (c *copyMessages) end(imageBytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := cmp.Or(c.now.Total, imageBytes)
	c.sink.Send(report.CopyProgress(total, total))
}
