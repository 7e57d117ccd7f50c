package deploy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"snf-image/internal/host/config"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

// TestNotes has a helper that is killed in the middle of a task: the report has what it
// did by then.
func TestNotes(t *testing.T) {
	t.Parallel()
	rec := newRecord(Request{Spec: &spec.Spec{}})
	planned := []string{"FixPartitionTable", "MountImage", "AssignHostname"}
	for _, e := range []report.Event{
		{Kind: report.TaskStart, Task: "FixPartitionTable"},
		{Kind: report.Changed, Messages: []string{"partition 1 grew"}},
		{Kind: report.TaskEnd, Task: "FixPartitionTable", Outcome: report.Warned},
		{Kind: report.TaskStart, Task: "MountImage"},
		{Kind: report.TaskEnd, Task: "MountImage", Outcome: "glorious"},
		{Kind: report.TaskEnd, Task: "MountImage", Outcome: report.Done},
		{Kind: report.TaskEnd, Task: "MountImage", Outcome: report.Failed}, // it ended already
		{Kind: report.TaskStart, Task: "FixPartitionTable"},
		{Kind: report.TaskStart, Task: "rm -rf"},
		{Kind: report.TaskEnd, Task: "rm -rf", Outcome: report.Done},
		{Kind: report.TaskStart, Task: "AssignHostname"},
		{Kind: report.Changed, Files: []string{"/etc/hostname"}},
	} {
		rec.note(e, planned)
	}
	want := report.Deployment{
		Disk:    report.DiskWritten{Changes: []string{"partition 1 grew"}},
		Changed: []string{"/etc/hostname"},
		Tasks: []report.TaskResult{
			{Name: "FixPartitionTable", Outcome: report.Warned},
			{Name: "MountImage", Outcome: report.Done},
			{Name: "AssignHostname", Outcome: report.Failed, Reason: "the helper ended in the middle of it"},
		},
	}
	if diff := cmp.Diff(want, rec.Deployment, cmpopts.IgnoreFields(report.TaskResult{}, "Seconds"), cmpopts.IgnoreFields(report.Deployment{}, "Started")); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
}

// TestNotesAreBounded has a helper that does not stop telling.
func TestNotesAreBounded(t *testing.T) {
	t.Parallel()
	rec := newRecord(Request{Spec: &spec.Spec{}})
	for i := range 3 * maxChangedFiles {
		rec.note(report.Event{Kind: report.Changed, Messages: []string{"x"}, Files: []string{fmt.Sprint(i), "\x1b[2J"}}, nil)
	}
	// One more says that there were more.
	if len(rec.Disk.Changes) != maxDiskChanges+1 || len(rec.Changed) != maxChangedFiles+1 {
		t.Errorf("%d changes and %d files are recorded, want %d and %d", len(rec.Disk.Changes), len(rec.Changed), maxDiskChanges+1, maxChangedFiles+1)
	}
	if slices.Contains(rec.Changed, "\x1b[2J") {
		t.Error("an escape sequence is recorded as it came")
	}
}

// TestSoftLimit bounds the helper of an installed machine later than that of a deployment.
func TestSoftLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mode    spec.Mode
		seconds int
		want    string
	}{
		{spec.ModeDeploy, 0, "0s"},
		{spec.ModeCustomize, 0, "0s"},
		{spec.ModeDeploy, 120, "2m0s"},
		{spec.ModeCustomize, 120, "12m40s"}, // and twice 5 minutes and 20 seconds
	} {
		r := &helped{run: &run{plan: spec.Plan{Mode: tc.mode}, disks: disks{{Size: 10 << 30}}}}
		r.Config = &config.Config{HelperSoftTimeout: time.Duration(tc.seconds) * time.Second}
		if got := r.softLimit().String(); got != tc.want {
			t.Errorf("softLimit() of %s with %d s = %s, want %s", tc.mode, tc.seconds, got, tc.want)
		}
	}
}
