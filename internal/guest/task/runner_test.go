package task

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"snf-image/internal/guest/inspect"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// runPlan runs a plan without disks: what a task needs is missing, so that it
// skips or panics.
func runPlan(t *testing.T, plan *spec.Plan, r *Run) (wire []string, results []report.TaskResult, err error) {
	t.Helper()
	r.Plan, r.Log = plan, silent()
	r.Emit = func(e report.Event) { wire = append(wire, line(e)) }
	runner := &Runner{
		Run:       r,
		Between:   func() { wire = append(wire, "between") },
		OnFailure: func(name string, err error) { wire = append(wire, "failed "+name) },
	}
	results, err = runner.All(t.Context())
	return wire, results, err
}

func line(e report.Event) string {
	return strings.TrimSpace(strings.Join([]string{string(e.Kind), e.Task, string(e.Outcome), strings.Join(e.Messages, "; ")}, " "))
}

func TestRunnerWire(t *testing.T) {
	t.Parallel()
	plan := &spec.Plan{
		Tasks:   []string{spec.FilesystemResizeUnmounted, spec.AddSwap},
		Exclude: map[string]string{spec.AddSwap: "EXCLUDE_TASK_ADDSWAP"},
	}
	wire, results, err := runPlan(t, plan, &Run{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"task-start FilesystemResizeUnmounted", "task-end FilesystemResizeUnmounted skipped", "between",
		"task-start AddSwap", "warning AddSwap  left out because of EXCLUDE_TASK_ADDSWAP", "task-end AddSwap skipped", "between",
	}
	if diff := cmp.Diff(want, wire); diff != "" {
		t.Errorf("wire (-want +got):\n%s", diff)
	}
	for i, reason := range []string{"FixPartitionTable did not run", "left out by EXCLUDE_TASK_ADDSWAP"} {
		if results[i].Outcome != report.Skipped || results[i].Reason != reason {
			t.Errorf("%s: %s, %q, want skipped, %q", results[i].Name, results[i].Outcome, results[i].Reason, reason)
		}
	}
}

func TestRunnerAfterFailure(t *testing.T) {
	t.Parallel()
	plan := &spec.Plan{Tasks: []string{spec.FixPartitionTable, spec.AddSwap, spec.UmountImage}}
	wire, results, err := runPlan(t, plan, &Run{Target: "/nonexistent"}) // no disk: an index out of range
	if err == nil || !strings.HasPrefix(err.Error(), "internal error: runtime error: index out of range") {
		t.Errorf("All = %v, want the panic", err)
	}
	var got []string
	for _, r := range results {
		got = append(got, r.Name+" "+string(r.Outcome))
	}
	want := []string{"FixPartitionTable failed", "AddSwap skipped", "UmountImage done"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if results[1].Reason != "not reached: FixPartitionTable failed" {
		t.Errorf("reason = %q", results[1].Reason)
	}
	if n := strings.Count(strings.Join(wire, "\n"), "failed FixPartitionTable"); n != 1 {
		t.Errorf("OnFailure was called %d times, want once", n)
	}
}

// TestRunnerOutOfTime begins nothing more when the time is up, but unmounts.
func TestRunnerOutOfTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(spec.ErrTimeUp)
	r := &Run{Plan: &spec.Plan{Tasks: []string{spec.AddSwap, spec.UmountImage}}, Log: silent(), Emit: func(report.Event) {}, Target: "/nonexistent"}
	results, err := (&Runner{Run: r, Between: func() {}, OnFailure: func(string, error) {}}).All(ctx)
	if !errors.Is(err, spec.ErrTimeUp) {
		t.Errorf("All = %v, want %v", err, spec.ErrTimeUp)
	}
	if len(results) != 2 || results[0].Outcome != report.Failed || results[1].Outcome != report.Done {
		t.Errorf("results = %+v", results)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		warned bool
		want   report.Outcome
		reason string
		fails  bool
	}{
		{"done", nil, false, report.Done, "", false},
		{"warned", nil, true, report.Warned, "", false},
		{"skipped", Skip("nothing to do"), true, report.Skipped, "nothing to do", false},
		{"failed", errors.New("it broke"), true, report.Failed, "it broke", true},
		{"remedied", outcome.Advise(errors.New("it broke"), "fix it"), false, report.Failed, "it broke", true},
	} {
		got, reason, err := ended(tt.err, tt.warned)
		if got != tt.want || reason != tt.reason || (err != nil) != tt.fails {
			t.Errorf("%s: ended = %s, %q, %v", tt.name, got, reason, err)
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	got := Unknown(&spec.Plan{Tasks: []string{spec.MountImage, "CopyKernel", "x"}})
	if diff := cmp.Diff([]string{"CopyKernel", "x"}, got); diff != "" {
		t.Errorf("Unknown (-want +got):\n%s", diff)
	}
}

// TestTableIsSpecs holds the tasks' functions against the list of all tasks, which has
// the order.
func TestTableIsSpecs(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, t := range spec.AllTasks() {
		if t.Missing == "" {
			want = append(want, t.Name)
		}
	}
	for _, s := range steps() {
		got = append(got, s.name)
		if s.linux == nil && s.windows == nil || s.linux != nil && s.mounted() && s.check == nil && s.name != spec.FilesystemResizeMounted {
			t.Errorf("%s does nothing, or changes files of a Linux that nothing looks at before", s.name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-spec +table):\n%s", diff)
	}
}

// TestFamilies leaves out what is not for the system.
func TestFamilies(t *testing.T) {
	t.Parallel()
	plan := &spec.Plan{Tasks: []string{spec.FilesystemResizeUnmounted, spec.DeleteSSHKeys, spec.UmountImage}}
	for family, want := range map[string]string{inspect.Windows: "not for windows", inspect.OpenBSD: "not for openbsd"} {
		_, results, err := runPlan(t, plan, &Run{Inspection: &report.Inspection{OSFamily: family}, Target: "/nonexistent"})
		if err != nil || results[1].Outcome != report.Skipped || results[1].Reason != want {
			t.Errorf("%s: %v, %+v, want DeleteSSHKeys skipped: %s", family, err, results, want)
		}
		if results[2].Outcome != report.Done {
			t.Errorf("%s: %+v, want UmountImage done", family, results[2])
		}
	}
}
