package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"snf-image/internal/host/session"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// customizer is the helper of a run.
type customizer struct {
	*run
	*session.Helper
}

var _ helperRun = (*customizer)(nil)

func (c *customizer) started() { c.record.started(c.Helper) }
func (c *customizer) stop()    { c.Stop() }

func (c *customizer) customize(parent context.Context, imageBytes int64, keys *future[[]spec.HostKey]) error {
	ctx, cancel := c.Bound(parent)
	defer cancel()
	defer c.record.timing("customize", time.Now())
	c.mark("the helper starts to customize the machine")
	c.touched = !c.living() // a machine that is there is only looked at first
	result, err := c.Converse(ctx, imageBytes, c.listener(keys))
	if err == nil {
		err = c.judge(ctx, result)
	}
	if err != nil {
		err = c.Explain(err)
		c.listChanged()
		c.mark("the helper has ended")
		c.mark("the machine is not customized")
		return err
	}
	c.mark("the helper has ended")
	c.mark("the machine is customized")
	return nil
}

// listener returns what becomes of the helper's words.
func (c *customizer) listener(keys *future[[]spec.HostKey]) *listener {
	return &listener{customizer: c, keys: keys, bounded: report.NewBounded(c.Sink, c.plan.Tasks, time.Now)}
}

// listener records what a helper says and makes the credentials for what it found.
type listener struct {
	*customizer
	keys    *future[[]spec.HostKey]
	bounded *report.Bounded
}

var _ session.Listener = (*listener)(nil)

// Inspected makes the credentials. From then on the helper may write.
func (l *listener) Inspected(in *report.Inspection) (*spec.Credentials, error) {
	l.touched = true
	l.record.System = in
	l.record.used("inspection", l.CPU())
	if !l.plan.WantsCredentials {
		return nil, nil
	}
	made, err := l.keys.wait()
	if err != nil {
		return nil, err
	}
	return l.credentials(in, made)
}

// Event records and reports an event.
func (l *listener) Event(e report.Event) {
	if e.Kind == report.Debug {
		l.debug(e)
	}
	l.record.note(e, l.plan.Tasks)
	l.bounded.Event(e)
}

// judge decides whether result and the end of the helper are success.
func (c *customizer) judge(ctx context.Context, result *report.Result) error {
	c.record.finished(result)
	c.record.used("tasks", c.CPU())
	if result.Error != "" {
		c.touched = !c.living() || len(c.record.Disk.Changes)+len(c.record.Changed) > 0
		return c.taskFailure(result)
	}
	total, err := c.Finish(ctx, result)
	if total > 0 {
		c.record.used("power-off", total)
	}
	return err
}

// listChanged logs what a failed customization of an installed machine had changed before.
func (r *run) listChanged() {
	if !r.living() {
		return
	}
	if changes := r.record.Disk.Changes; len(changes) > 0 {
		r.Log.Warn("the disk had been changed before the failure: " + strings.Join(changes, ", "))
	}
	if files := r.record.Changed; len(files) > 0 {
		r.Log.Warn(fmt.Sprintf("%d files had been changed before the failure: %s",
			len(files), strings.Join(files[:min(len(files), maxListed)], " ")))
	}
}

// maxListed bounds the files a log line names; the report has all of them.
const maxListed = 50
