package deploy

import (
	"errors"
	"sync"
	"time"

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
	sink     report.Sink
	progress func(position, total int64)

	mu              sync.Mutex
	last            time.Time
	position, total int64
	sent            int64 // the position that was sent last
}

func (c *copyMessages) add(position, total int64) {
	c.progress(position, total)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.position, c.total = position, total
	now := time.Now()
	passed := now.Sub(c.last)
	if passed < report.ProgressInterval {
		return
	}
	m := report.CopyProgress(position, total)
	if !c.last.IsZero() {
		m.Rate = int64(float64(position-c.sent) / passed.Seconds())
	}
	c.last, c.sent = now, position
	c.sink.Send(m)
}

// end sends the last message, which says 100 %. Now the length of an image is
// known, if it was not before.
func (c *copyMessages) end(imageBytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total == 0 {
		c.total = imageBytes
	}
	c.sink.Send(report.CopyProgress(c.total, c.total))
}
