package deploy

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/host/worker"
	"snf-image/internal/report"
)

var rates = regexp.MustCompile(`\d+\.\d .iB/s`)

// TestCopyMessages: the owner sees each step of the way, and one progress from 0 to 100 %.
func TestCopyMessages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var shown []worker.Progress
	c := copyMessages{
		sink: report.NewTextSink(&out, func() time.Time { return time.Time{} }), unpacking: "unpacking the image",
		progress: func(p worker.Progress) { shown = append(shown, p) },
	}
	told := []worker.Progress{
		{Unpacking: true, Position: 1 << 20, Total: 4 << 20},
		{Unpacking: true, Position: 2 << 20, Total: 4 << 20}, // too early
		{Unpacking: true, Position: 3 << 20, Total: 4 << 20},
		{Unpacking: true, Position: 4 << 20, Total: 4 << 20},
		{Unpacking: true, Position: 4 << 20, Total: 4 << 20}, // the same
		{Position: 5 << 20, Total: 20 << 20},
		{Position: 10 << 20, Total: 20 << 20},
	}
	for i, p := range told {
		if i == 2 || i > 4 {
			c.last = c.last.Add(-report.ProgressInterval)
		}
		c.add(p)
	}
	c.end(30 << 20)
	const at = "0001-01-01 00:00:00 [INFO] "
	want := at + "unpacking the image: 1.0 MiB of 4.0 MiB, 25.00 %\n" +
		at + "unpacking the image: 3.0 MiB of 4.0 MiB, 75.00 %, R/s\n" +
		at + "unpacking the image: 4.0 MiB of 4.0 MiB, 100.00 %\n" +
		at + "copied 5.0 MiB of 20.0 MiB, 25.00 %\n" +
		at + "copied 10.0 MiB of 20.0 MiB, 50.00 %, R/s\n" +
		at + "copied 20.0 MiB of 20.0 MiB, 100.00 %\n"
	if diff := cmp.Diff(want, rates.ReplaceAllString(out.String(), "R/s")); diff != "" {
		t.Errorf("the owner reads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(told, shown); diff != "" {
		t.Errorf("the bar shows (-want +got):\n%s", diff)
	}
}
