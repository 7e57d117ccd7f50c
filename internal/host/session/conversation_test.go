package session

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/channel"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

const nonce, digest = "nonce-of-this-run", "digest-of-the-contents"

// agent plays the other end: it sends raw frames and closes.
func agent(t *testing.T, send func(w net.Conn)) *conversation {
	t.Helper()
	host, guest := net.Pipe()
	t.Cleanup(func() { _ = host.Close() })
	go func() {
		send(guest)
		_ = guest.Close()
	}()
	return newConversation(host, nonce, digest)
}

func say(w net.Conn, typ channel.Type, body any) {
	_ = channel.Write(w, typ, body, channel.MaxDown)
}

func TestHello(t *testing.T) {
	t.Parallel()
	good := channel.HelloBody{Version: channel.Version, Nonce: nonce, Digest: digest}
	with := func(change func(*channel.HelloBody)) channel.HelloBody {
		h := good
		change(&h)
		return h
	}
	tests := []struct {
		name string
		typ  channel.Type
		body any
		want string // part of the error, empty for success
	}{
		{"ours", channel.Hello, good, ""},
		{"other protocol", channel.Hello, with(func(h *channel.HelloBody) { h.Version++ }), "speaks protocol"},
		{"another run's nonce", channel.Hello, with(func(h *channel.HelloBody) { h.Nonce = "x" }), "nonce"},
		{"no nonce", channel.Hello, with(func(h *channel.HelloBody) { h.Nonce = "" }), "nonce"},
		{"other contents", channel.Hello, with(func(h *channel.HelloBody) { h.Digest = "x" }), "contents"},
		{"result first", channel.Result, report.Result{Nonce: nonce}, `sent "result"`},
		{"body of another type", channel.Hello, "hello", "decoding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := agent(t, func(w net.Conn) { say(w, tt.typ, tt.body) })
			err := c.hello(t.Context())
			if tt.want == "" {
				if err != nil {
					t.Errorf("hello() = %v, want success", err)
				}
				return
			}
			if _, broken := errors.AsType[*protocolError](err); !broken || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("hello() = %v, want a protocol error with %q", err, tt.want)
			}
		})
	}
}

func TestReadTellsSilenceFromGarbage(t *testing.T) {
	t.Parallel()
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		c := agent(t, func(net.Conn) {})
		if err := c.hello(t.Context()); !errors.Is(err, errSilent) {
			t.Errorf("hello() = %v, want errSilent", err)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		t.Parallel()
		c := agent(t, func(w net.Conn) { _, _ = w.Write([]byte(strings.Repeat("garbage!", 10))) })
		err := c.hello(t.Context())
		if _, broken := errors.AsType[*protocolError](err); !broken {
			t.Errorf("hello() = %v, want a protocol error", err)
		}
	})
	t.Run("end of the context", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("the cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := agent(t, func(net.Conn) { cancel(cause); <-t.Context().Done() })
		if err := c.hello(ctx); !errors.Is(err, cause) {
			t.Errorf("hello() = %v, want %v", err, cause)
		}
	})
}

// TestOnlyTheLogComesBeforeTheInspection has an agent log, or do more, before it says what it
// found.
func TestOnlyTheLogComesBeforeTheInspection(t *testing.T) {
	t.Parallel()
	for kind, want := range map[report.EventKind]bool{report.Debug: true, report.TaskStart: false, report.Changed: false, "": false} {
		c := agent(t, func(w net.Conn) {
			say(w, channel.Event, report.Event{Kind: kind, Messages: []string{"a"}})
			say(w, channel.Event, report.Event{Kind: kind, Messages: []string{"b"}})
			say(w, channel.Inspected, report.Inspection{Root: "found"})
		})
		logged := ""
		in, _, err := c.inspected(t.Context(), func(e report.Event) { logged += e.Messages[0] })
		if _, broken := errors.AsType[*protocolError](err); want != (err == nil && in.Root == "found" && logged == "ab") || !want && (!broken || logged != "") {
			t.Errorf("an event %q: %+v, logged %q, %v", kind, in, logged, err)
		}
	}
}

func TestResultIsTheLastMessage(t *testing.T) {
	t.Parallel()
	result := report.Result{Nonce: nonce}
	tests := []struct {
		name string
		send func(w net.Conn)
		ok   bool
	}{
		{"end", func(net.Conn) {}, true},
		{"second result", func(w net.Conn) { say(w, channel.Result, result) }, false},
		{"event", func(w net.Conn) { say(w, channel.Event, report.Event{Kind: report.TaskEnd}) }, false},
		{"garbage", func(w net.Conn) { _, _ = w.Write([]byte("garbage!garbage!")) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := agent(t, func(w net.Conn) {
				say(w, channel.Event, report.Event{Kind: report.TaskStart, Task: "A"})
				say(w, "kind-of-a-later-version", nil)
				say(w, channel.Result, result)
				tt.send(w)
			})
			var events []report.Event
			got, err := c.result(t.Context(), func(e report.Event) { events = append(events, e) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&result, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if len(events) != 1 || events[0].Task != "A" {
				t.Errorf("events = %v, want the one of task A", events)
			}
			if err := c.end(t.Context()); (err == nil) != tt.ok {
				t.Errorf("end() = %v, want success %v", err, tt.ok)
			}
		})
	}
}

func TestEarned(t *testing.T) {
	t.Parallel()
	plan := &spec.Plan{Nonce: nonce, Tasks: []string{"A", "B"}}
	done := func(name string) report.TaskResult { return report.TaskResult{Name: name, Outcome: report.Done} }
	tests := []struct {
		name   string
		result report.Result
		want   string // part of the error, empty for success
	}{
		{"all done", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("A"), done("B")}}, ""},
		{"skipped and warned", report.Result{Nonce: nonce, Tasks: []report.TaskResult{
			{Name: "A", Outcome: report.Skipped}, {Name: "B", Outcome: report.Warned},
		}}, ""},
		{"another run's nonce", report.Result{Nonce: "x", Tasks: []report.TaskResult{done("A"), done("B")}}, "nonce"},
		{"no task", report.Result{Nonce: nonce}, "accounts for 0 tasks"},
		{"one missing", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("A")}}, "accounts for 1 tasks"},
		{"one twice", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("A"), done("A")}}, "accounts for A where B"},
		{"wrong order", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("B"), done("A")}}, "accounts for B where A"},
		{"one failed", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("A"), {Name: "B", Outcome: report.Failed}}}, `B is "failed"`},
		{"unknown outcome", report.Result{Nonce: nonce, Tasks: []report.TaskResult{done("A"), {Name: "B", Outcome: "fine"}}}, `B is "fine"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := earned(&tt.result, plan)
			if tt.want == "" && err == nil {
				return
			}
			if tt.want == "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("earned() = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSendToAnAgentThatIsGone(t *testing.T) {
	t.Parallel()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours := os.NewFile(uintptr(fds[0]), "host")
	defer func() { _ = ours.Close() }()
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, syscall.Close(fds[1])); err != nil {
		t.Fatal(err)
	}
	for _, closed := range []bool{false, true} { // by the agent alone; by the end of QEMU, too
		if closed {
			_ = conn.Close()
		}
		if err := newConversation(conn, nonce, digest).send(t.Context(), channel.Plan, 1); !errors.Is(err, errSilent) {
			t.Errorf("send() with our end closed %v = %v, want errSilent", closed, err)
		}
	}
}

func TestReadForgetsAnEarlierDeadline(t *testing.T) {
	t.Parallel()
	c := agent(t, func(w net.Conn) { say(w, channel.Event, report.Event{}) })
	_ = c.conn.SetDeadline(time.Unix(1, 0)) // as a context leaves it that ends just after a read
	if m, err := c.read(t.Context()); err != nil {
		t.Errorf("read() = %v, %v, want the event", m, err)
	}
}

func TestHelperThatStaysBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := agent(t, func(net.Conn) { <-t.Context().Done() })
		ctx, cancel := untilPowerOff(t.Context())
		defer cancel()
		err := c.end(ctx)
		if _, broken := errors.AsType[*protocolError](err); !broken || !strings.Contains(err.Error(), "power off") {
			t.Errorf("end() = %v, want a protocol error about the power-off", err)
		}
	})
}

// silent is a listener for helpers that end before there is anything to hear.
type silent struct{}

func (silent) Inspected(*report.Inspection) (*spec.Credentials, error) { return nil, nil }
func (silent) Event(report.Event)                                      {}

func TestSuccessBeforeTheInspection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode spec.Mode
		text string
		ok   bool
	}{
		{spec.ModeDeploy, "", false},
		{spec.ModeInspect, "", false},
		{spec.ModeDeploy, "no partition table", true},
		{spec.ModeShell, "", true},
	} {
		c := agent(t, func(w net.Conn) {
			_, _ = channel.NewAgentReader(w).Read()
			say(w, channel.Result, report.Result{Nonce: nonce, Error: tc.text})
		})
		h := &Helper{running: running{talk: c}, work: Work{Plan: spec.Plan{Mode: tc.mode}}}
		_, err := h.Converse(t.Context(), 0, silent{})
		if _, broken := errors.AsType[*protocolError](err); broken == tc.ok {
			t.Errorf("%s: Converse() with a result of error %q = %v, want it accepted %v", tc.mode, tc.text, err, tc.ok)
		}
	}
}
