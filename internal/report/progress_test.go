package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is a fixed clock.
func noon() time.Time { return time.Unix(1700000000, 250_000_000) }

func TestJSONSinkLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		m    Message
		want string
	}{
		{"info", Info("one", "two\n"), `{"type":"image-info","timestamp":1700000000.250000,"messages":["one","two\\n"]}`},
		{"error", Error("bad"), `{"type":"image-error","timestamp":1700000000.250000,"messages":["bad"]}`},
		{"stderr", ErrorOutput([]string{"a", "b"}), `{"type":"image-error","timestamp":1700000000.250000,"stderr":["a","b"]}`},
		{"copy begins", CopyProgress(0, 3), `{"type":"image-copy-progress","timestamp":1700000000.250000,"position":0,"total":3,"progress":0.0}`},
		{"copy", CopyProgress(1, 3), `{"type":"image-copy-progress","timestamp":1700000000.250000,"position":1,"total":3,"progress":33.33}`},
		{"one decimal", CopyProgress(1, 8), `{"type":"image-copy-progress","timestamp":1700000000.250000,"position":1,"total":8,"progress":12.5}`},
		{"copy ended", CopyProgress(3, 3), `{"type":"image-copy-progress","timestamp":1700000000.250000,"position":3,"total":3,"progress":100.0}`},
		{"unknown total", CopyProgress(5, 0), `{"type":"image-copy-progress","timestamp":1700000000.250000,"position":5,"total":0,"progress":0.0}`},
		{"helper error", HelperError("AddSwap", "no room"), `{"type":"image-helper","timestamp":1700000000.250000,"subtype":"error","task":"AddSwap","messages":["no room"]}`},
	} {
		var b bytes.Buffer
		NewJSONSink(&b, LogPrefix, noon).Send(tc.m)
		if got, want := b.String(), "[MONITOR] "+tc.want+"\n"; got != want {
			t.Errorf("%s: line = %s, want %s", tc.name, got, want)
		}
	}
}

func TestTextSinkLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := NewTextSink(&b, noon)
	ticks := noon()
	bounded := NewBounded(s, []string{"AddSwap"}, func() time.Time { ticks = ticks.Add(1500 * time.Millisecond); return ticks })
	s.Send(Info("starts", "really"))
	s.Send(CopyProgress(3<<29, 3<<30))
	later, endless := CopyProgress(3<<30, 3<<30), CopyProgress(3<<20, 0)
	later.Rate, endless.Rate = 3<<28, 1<<20
	s.Send(later)
	s.Send(endless)
	bounded.Event(Event{Kind: TaskStart, Task: "AddSwap"})
	bounded.Event(Event{Kind: Warning, Task: "AddSwap", Messages: []string{"careful"}})
	bounded.Event(Event{Kind: TaskEnd, Task: "AddSwap"})
	s.Send(HelperError("", "broken"))
	s.Send(ErrorOutput([]string{"qemu died"}))
	at := noon().Format("2006-01-02 15:04:05 ")
	want := at + strings.Join([]string{
		"[INFO] starts", "[INFO] really", "[INFO] copied 1.5 GiB of 3.0 GiB, 50.00 %",
		"[INFO] copied 3.0 GiB of 3.0 GiB, 100.00 %, 768.0 MiB/s", "[INFO] copied 3.0 MiB, 1.0 MiB/s",
		"HELPER: [INFO] task AddSwap starts", "HELPER: [WARNING] AddSwap: careful", "HELPER: [INFO] task AddSwap ended after 1.5 s",
		"HELPER: [ERROR] broken", "",
	}, "\n"+at)
	if diff := cmp.Diff(strings.TrimSuffix(want, at), b.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestErrorOutputKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprint(i))
	}
	if diff := cmp.Diff(lines[20:], ErrorOutput(lines).Stderr); diff != "" {
		t.Errorf("Stderr (-want +got):\n%s", diff)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536 << 20: "1.5 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// counter counts the writes it gets.
type counter struct{ writes int }

func (c *counter) Write(p []byte) (int, error) { c.writes++; return 0, fmt.Errorf("gone") }

func TestSinksShareAndSurvive(t *testing.T) {
	t.Parallel()
	gone := &counter{}
	var text bytes.Buffer
	sinks := Sinks{NewJSONSink(gone, "", noon), NewTextSink(&text, noon)}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { sinks.Send(Info("x")) })
	}
	all.Wait()
	if gone.writes != 10 || text.String() != strings.Repeat(noon().Format(TimeFormat)+" [INFO] x\n", 10) {
		t.Errorf("%d writes to a listener that went away, the other got %q", gone.writes, text.String())
	}
}

// collector keeps what it gets.
type collector struct{ got []Message }

func (c *collector) Send(m Message) { c.got = append(c.got, m) }

func TestBoundedTrustsNothing(t *testing.T) {
	t.Parallel()
	var c collector
	b := NewBounded(&c, []string{"A", "B"}, noon)
	for _, e := range []Event{
		{Kind: TaskStart, Task: "A"},
		{Kind: TaskStart, Task: "A"},
		{Kind: TaskStart, Task: "evil\x1b"},
		{Kind: "exploit", Task: "A", Messages: []string{"x"}},
		{Kind: Debug, Task: "A", Messages: []string{"x"}},
		{Kind: Warning, Task: "evil", Messages: []string{"w\n"}},
		{Kind: Warning, Task: "A"},
		{Kind: TaskEnd, Task: "A"},
		{Kind: TaskEnd, Task: "A"},
	} {
		b.Event(e)
	}
	want := []Message{
		{Type: ImageHelper, Subtype: "task-start", Task: "A"},
		{Type: ImageHelper, Subtype: "warning", Messages: []string{`w\n`}},
		{Type: ImageHelper, Subtype: "task-end", Task: "A"},
	}
	if diff := cmp.Diff(want, c.got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestBoundedCounts(t *testing.T) {
	t.Parallel()
	var c collector
	b := NewBounded(&c, nil, noon)
	for range 300 {
		b.Event(Event{Kind: Warning, Messages: []string{strings.Repeat("x", 1000), "y", "z"}})
	}
	total, notices := 0, 0
	for _, m := range c.got {
		for _, text := range m.Messages {
			total++
			if text == notice {
				notices++
			}
			if len(text) > MaxLine {
				t.Errorf("message of %d bytes", len(text))
			}
		}
	}
	if total != MaxMessages+1 || notices != 1 {
		t.Errorf("%d messages with %d notices, want %d and 1", total, notices, MaxMessages+1)
	}
}

func TestBoundResult(t *testing.T) {
	t.Parallel()
	evil := "\x1b" + strings.Repeat("x", 10_000)
	r := Result{Nonce: evil, Error: evil, Remedy: evil}
	for range 1000 {
		r.Changed = append(r.Changed, evil)
		r.Tasks = append(r.Tasks, TaskResult{Name: evil, Outcome: Outcome(evil), Reason: evil, Warnings: []string{evil, evil, evil}})
	}
	checkBounded(t, BoundResult(r), 1<<20)
	if !strings.HasPrefix(r.Tasks[0].Name, "\x1b") {
		t.Error("BoundResult changed its argument")
	}
}

func TestBoundInspection(t *testing.T) {
	t.Parallel()
	var i Inspection
	taint(reflect.ValueOf(&i).Elem(), "\x1b"+strings.Repeat("x", 10_000))
	checkBounded(t, BoundInspection(i), 3<<20)
	if !strings.HasPrefix(i.Partitions[0].Name, "\x1b") || !strings.HasPrefix(i.Windows.State, "\x1b") {
		t.Error("BoundInspection changed its argument")
	}
}

// taint gives each text that can be reached from v that value, and each list many elements.
func taint(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		taint(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 40, 40))
		for i := range v.Len() {
			taint(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			taint(v.Field(i), text)
		}
	}
}

// checkBounded encodes v, which escapes control characters again if there are
// any left.
func checkBounded(t *testing.T, v any, limit int) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > limit {
		t.Errorf("%T has %d bytes, more than %d", v, len(text), limit)
	}
	if bytes.Contains(text, []byte(`\u001b`)) {
		t.Errorf("%T holds an escape character", v)
	}
}
