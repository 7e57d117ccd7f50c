package report

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Sink takes progress messages. A Sink is safe for concurrent use and never
// holds up a deployment with an error: whoever listens may go away.
type Sink interface {
	Send(Message)
}

var (
	_ Sink = (*JSONSink)(nil)
	_ Sink = (*TextSink)(nil)
	_ Sink = Sinks(nil)
)

// Sinks sends to each of several sinks.
type Sinks []Sink

// Send sends m to all.
func (ss Sinks) Send(m Message) {
	for _, s := range ss {
		s.Send(m)
	}
}

// JSONSink writes each message as one line of JSON.
type JSONSink struct {
	mu     sync.Mutex
	w      io.Writer
	prefix string
	now    func() time.Time
}

// LogPrefix leads the messages in a log, when there is no monitor.
const LogPrefix = "[MONITOR] "

// NewJSONSink returns a sink that writes to w, each line led by prefix.
func NewJSONSink(w io.Writer, prefix string, now func() time.Time) *JSONSink {
	return &JSONSink{w: w, prefix: prefix, now: now}
}

// Send writes m with one call of Write.
func (s *JSONSink) Send(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Timestamp = newTimestamp(s.now())
	text, err := json.Marshal(m)
	if err != nil {
		return // a Message holds nothing that does not encode
	}
	_, _ = s.w.Write(append([]byte(s.prefix+string(text)), '\n'))
}

// TextSink writes the messages as lines for people, each with its time.
type TextSink struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
}

// TimeFormat is how lines of a log show their time.
const TimeFormat = time.DateTime

// NewTextSink returns a sink that writes to w.
func NewTextSink(w io.Writer, now func() time.Time) *TextSink { return &TextSink{w: w, now: now} }

// Send writes a line for each text of m.
func (s *TextSink) Send(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now().Format(TimeFormat)
	for _, line := range m.lines() {
		_, _ = io.WriteString(s.w, at+" "+line+"\n")
	}
}

// lines formats m for people (docs/ganeti.md, Progress). That the whole failed is
// left to the last line of the log, which says why.
func (m Message) lines() []string {
	switch {
	case m.Type == ImageError:
		return nil
	case m.Type == ImageCopyProgress && m.Progress != nil:
		return []string{"[INFO] copied " + m.Amount()}
	case m.Subtype == SubtypeTaskStart:
		return []string{"HELPER: [INFO] task " + m.Task + " starts"}
	case m.Subtype == SubtypeTaskEnd:
		return []string{fmt.Sprintf("HELPER: [INFO] task %s ended after %.1f s", m.Task, m.Took.Seconds())}
	}
	prefix := map[string]string{SubtypeWarning: "[WARNING] ", SubtypeError: "[ERROR] "}[m.Subtype]
	switch m.Type {
	case ImageHelper:
		prefix = "HELPER: " + prefix
		if m.Task != "" {
			prefix += m.Task + ": "
		}
	default:
		prefix = "[INFO] "
	}
	var lines []string
	for _, text := range append(m.Messages, m.Stderr...) {
		lines = append(lines, prefix+text)
	}
	return lines
}

// Amount says how far the copy is that m is about, whose length may be unknown, and how fast.
func (m Message) Amount() string {
	text := Bytes(*m.Position)
	if *m.Total > 0 {
		text += fmt.Sprintf(" of %s, %.2f %%", Bytes(*m.Total), float64(*m.Progress))
	}
	if m.Rate > 0 {
		text += ", " + Bytes(m.Rate) + "/s"
	}
	return text
}

// Bytes formats n with a binary unit: "1.5 GiB".
func Bytes(n int64) string {
	size, unit := float64(n), 0
	for ; size >= 1024 && unit < 6; unit++ {
		size /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTPE"[unit-1])
}
