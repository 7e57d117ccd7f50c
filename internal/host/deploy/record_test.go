package deploy

import (
	"errors"
	"testing"

	"snf-image/internal/report"
	"snf-image/internal/spec"
)

func TestLastWords(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped by signal")
	busy := &report.Failure{Kind: report.Busy, What: "opening the disk", On: "b", Cause: errors.New("mounted")}
	failed := &report.Result{
		Error: "ChangePassword: no user bob", Remedy: "see USERS",
		Tasks: []report.TaskResult{{Name: "ChangePassword", Outcome: report.Failed}},
	}
	for _, mode := range []spec.Mode{spec.ModeCustomize, spec.ModeDeploy} {
		r := &run{Request: Request{Spec: &spec.Spec{Disks: []spec.Disk{{Path: "web1.raw"}}}}, plan: spec.Plan{Mode: mode}}
		signal := "deploying, on web1.raw: stopped by signal; deploy again"
		if mode == spec.ModeCustomize {
			signal = "customizing the machine, on web1.raw: stopped by signal; run it again"
		}
		for _, tc := range []struct {
			err  error
			want string
		}{
			{stopped, signal},
			{busy, "opening the disk, on b: mounted"},
			{r.taskFailure(failed), "running task ChangePassword, on web1.raw: no user bob; see USERS"},
		} {
			got := r.explain(tc.err)
			if got.Error() != tc.want || !errors.Is(got, tc.err) {
				t.Errorf("explain(%v) = %q, want %q", tc.err, got, tc.want)
			}
		}
		if err := r.explain(nil); err != nil {
			t.Errorf("explain(nil) = %v", err)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	s := &spec.Spec{Mode: spec.ModeShell}
	if got := shown(s); got != "" {
		t.Errorf("shown() without disks = %q, want nothing", got)
	}
	s.Disks = []spec.Disk{{Path: "web1.raw"}, {Path: "data.raw"}}
	if got := shown(s); got != "web1.raw" {
		t.Errorf("shown() = %q, want web1.raw", got)
	}
}
