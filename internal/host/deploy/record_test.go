package deploy

import (
	"errors"
	"log/slog"
	"os"
	"testing"

	"snf-image/internal/host/config"
	"snf-image/internal/host/source"
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
	for _, image := range []*source.Image{nil, {}} {
		r := &run{Request: Request{Spec: &spec.Spec{Disks: []spec.Disk{{Path: "web1.raw"}}}}, image: image}
		signal := "deploying, on web1.raw: stopped by signal; deploy again"
		if image == nil {
			signal = "customising the machine, on web1.raw: stopped by signal; run it again"
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

// TestDoctorBootsNothingWithoutAnIdentity: a helper without a user of its own
// would run as root.
func TestDoctorBootsNothingWithoutAnIdentity(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not root: HELPER_USER is without effect")
	}
	cfg := &config.Config{HelperUser: "nobody-of-that-name", HelperDir: t.TempDir(), QEMU: "false", HelperMemory: 1}
	findings, err := Doctor(t.Context(), Request{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if report.KindOf(err) != report.Usage {
		t.Errorf("Doctor() = %v, want a failure about HELPER_USER", err)
	}
	for _, f := range findings {
		if f.Subject == "helper image" || f.Subject == "helper" {
			t.Errorf("Doctor() looked at the %s: %s", f.Subject, f.Text)
		}
	}
}
