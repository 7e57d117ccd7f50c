package report

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeploymentFail(t *testing.T) {
	t.Parallel()
	d := Deployment{Success: true}
	failure := &Failure{Kind: Disk, What: "opening the disk", On: "/dev/a", Cause: errors.New("busy\x1b"), Remedy: "stop it"}
	d.Fail(fmt.Errorf("deploying: %w", failure))
	want := &Ending{Kind: Disk, Message: `deploying: opening the disk, on /dev/a: busy\x1b; stop it`, Remedy: "stop it"}
	if diff := cmp.Diff(want, d.Failure); diff != "" || d.Success {
		t.Errorf("Fail: success %v (-want +got):\n%s", d.Success, diff)
	}
	d.Fail(errors.New("odd"))
	if d.Failure.Kind != Internal || d.Failure.Remedy != "" {
		t.Errorf("Fail of a plain error = %+v", d.Failure)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such file")
	for want, f := range map[string]*Failure{
		"opening the disk": {What: "opening the disk"},
		"opening the disk, on /dev/a: no such file; give a disk": {What: "opening the disk", On: "/dev/a", Cause: cause, Remedy: "give a disk"},
	} {
		if got := f.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
	if f := (&Failure{Cause: cause}); !errors.Is(f, cause) {
		t.Error("the cause is lost")
	}
}
