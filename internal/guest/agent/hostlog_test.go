package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/report"
)

// TestHostLog: the host gets everything, a line an event; the console what it got
// before.
func TestHostLog(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	var got []string
	log := slog.New(newHostLog(slog.NewTextHandler(&console, nil), func(e report.Event) {
		got = append(got, fmt.Sprint(e.Kind, e.Messages))
	}))
	log.Debug("output", "program", "CUSTOM_TASK", "text", "one\ntwo\n")
	log.Warn("careful")
	want := []string{"debug[output program=CUSTOM_TASK text=one]", "debug[two]", "debug[careful]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if s := console.String(); strings.Contains(s, "output") || !strings.Contains(s, "careful") {
		t.Errorf("the console has %q", s)
	}
	got = nil
	log.Debug(strings.Repeat("line\n", 10_000) + "last")
	if len(got) != maxLogged || got[maxLogged-1] != "debug[last]" {
		t.Errorf("%d events, the last %q, want %d", len(got), got[len(got)-1], maxLogged)
	}
	for range 20 {
		log.Debug(strings.Repeat("line\n", 10_000) + "last")
	}
	if len(got) > maxDebug || got[len(got)-1] != "debug[more lines are left out]" {
		t.Errorf("%d events, the last %q, want a word about the rest", len(got), got[len(got)-1])
	}
}
