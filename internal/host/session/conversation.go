package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// conversation is the host's end of the channel. Its messages are hostile until
// proven otherwise: wrong order, wrong nonce or wrong digest end it.
type conversation struct {
	conn   net.Conn
	in     *channel.Reader
	nonce  string
	digest string // of the helper image's contents
}

// protocolError is a breach of the protocol by the agent.
type protocolError struct{ err error }

func (e *protocolError) Error() string { return e.err.Error() }
func (e *protocolError) Unwrap() error { return e.err }

func newConversation(conn net.Conn, nonce, digest string) *conversation {
	return &conversation{conn: conn, in: channel.NewHostReader(conn), nonce: nonce, digest: digest}
}

// read returns the next message, or the context's cause when ctx ends first.
func (c *conversation) read(ctx context.Context) (channel.Message, error) {
	defer c.until(ctx)()
	m, err := c.in.Read()
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return m, context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return m, errSilent
	}
	return m, &protocolError{fmt.Errorf("reading from the helper: %w", err)}
}

// until makes reads and writes return when ctx ends, until the function it returns is
// called. A deadline that an earlier ctx left behind is removed.
func (c *conversation) until(ctx context.Context) (stop func() bool) {
	_ = c.conn.SetDeadline(time.Time{})
	return context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
}

// errSilent means that the helper ended without the message that was due.
var errSilent = errors.New("the helper ended before it sent a result")

// expect reads one message that must be of type want and decodes it into body.
func (c *conversation) expect(ctx context.Context, want channel.Type, body any) error {
	m, err := c.read(ctx)
	if err != nil {
		return err
	}
	if m.Type != want {
		return &protocolError{fmt.Errorf("the helper sent %q where %q was due", report.Clean(string(m.Type)), want)}
	}
	return decode(m, body)
}

func decode(m channel.Message, body any) error {
	if err := json.Unmarshal(m.Body, body); err != nil {
		return &protocolError{fmt.Errorf("decoding the helper's %s message: %w", m.Type, err)}
	}
	return nil
}

// hello checks that our agent, and no older run's, is at the other end.
func (c *conversation) hello(ctx context.Context) error {
	var h channel.HelloBody
	if err := c.expect(ctx, channel.Hello, &h); err != nil {
		return err
	}
	switch {
	case h.Version != channel.Version:
		return &protocolError{fmt.Errorf("the helper speaks protocol %d, this program %d", h.Version, channel.Version)}
	case h.Nonce != c.nonce:
		return &protocolError{errors.New("the helper's hello has another run's nonce")}
	case h.Digest != c.digest:
		return &protocolError{errors.New("the helper's contents are not those of the manifest")}
	}
	return nil
}

// send sends one message; the agent reads at once or ctx ends. An agent that is
// gone is silent.
func (c *conversation) send(ctx context.Context, t channel.Type, body any) error {
	defer c.until(ctx)()
	err := channel.Write(c.conn, t, body, channel.MaxDown)
	_, broken := errors.AsType[*net.OpError](err)
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case broken, errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("%w: %w", errSilent, err)
	}
	return err
}

// inspected reads what the agent found. An agent that gives up before sends
// its result instead. What it logs meanwhile is handed to debug.
func (c *conversation) inspected(ctx context.Context, debug func(report.Event)) (*report.Inspection, *report.Result, error) {
	for {
		m, err := c.read(ctx)
		if err != nil {
			return nil, nil, err
		}
		var e report.Event
		switch m.Type {
		case channel.Inspected:
			in := new(report.Inspection)
			return in, nil, decode(m, in)
		case channel.Result:
			r := new(report.Result)
			return nil, r, decode(m, r)
		case channel.Event:
			err = decode(m, &e)
		}
		if err != nil {
			return nil, nil, err
		}
		if e.Kind != report.Debug {
			return nil, nil, &protocolError{fmt.Errorf("the helper sent %q where %q was due", report.Clean(string(m.Type)), channel.Inspected)}
		}
		debug(e)
	}
}

// result hands every event to each and returns the result. It is the last
// message: anything after it breaks the protocol.
func (c *conversation) result(ctx context.Context, each func(report.Event)) (*report.Result, error) {
	for {
		m, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		switch m.Type {
		case channel.Event:
			var e report.Event
			if err := decode(m, &e); err != nil {
				return nil, err
			}
			each(e)
		case channel.Result:
			r := new(report.Result)
			if err := decode(m, r); err != nil {
				return nil, err
			}
			return r, nil
		}
	}
}

// end makes sure that nothing follows the result.
func (c *conversation) end(ctx context.Context) error {
	m, err := c.read(ctx)
	if errors.Is(err, errSilent) {
		return nil
	}
	if err == nil {
		return &protocolError{fmt.Errorf("the helper sent %q after its result", report.Clean(string(m.Type)))}
	}
	return err
}

// errNonce means that a result is not this run's.
var errNonce = &protocolError{errors.New("the helper's result has another run's nonce")}

// earned checks that r is success: this run's nonce and every planned task
// accounted for exactly once, in order, and did not fail.
func earned(r *report.Result, plan *spec.Plan) error {
	if r.Nonce != plan.Nonce {
		return errNonce
	}
	if len(r.Tasks) != len(plan.Tasks) {
		return &protocolError{fmt.Errorf("the helper accounts for %d tasks, %d were planned", len(r.Tasks), len(plan.Tasks))}
	}
	for i, t := range r.Tasks {
		if t.Name != plan.Tasks[i] {
			return &protocolError{fmt.Errorf("the helper accounts for %s where %s was planned", report.Clean(t.Name), plan.Tasks[i])}
		}
		switch t.Outcome {
		case report.Done, report.Warned, report.Skipped:
		default:
			return &protocolError{fmt.Errorf("the helper reports success though task %s is %q", t.Name, report.Clean(string(t.Outcome)))}
		}
	}
	return nil
}
