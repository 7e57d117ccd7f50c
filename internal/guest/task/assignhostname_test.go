package task

import "testing"

// TestAssignHostname gives the system the instance's name, if it has one.
func TestAssignHostname(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "old\n", "web1": "web1\n"} {
		r := newImageRun(t, map[string]string{"etc/hostname": "old\n"})
		r.Plan.InstanceName = name
		reason := ""
		if name == "" {
			reason = "no name"
		}
		wants(t, r.do(t, assignHostname), reason)
		if got := r.content(t, "etc/hostname"); got != want {
			t.Errorf("%q: /etc/hostname = %q, want %q", name, got, want)
		}
	}
}
