package builder

import (
	"errors"
	"testing"

	"snf-image/internal/host/values"
	"snf-image/internal/spec"

	"github.com/google/go-cmp/cmp"
)

// TestVerify judges parameters alone: nothing is said about name, disks and
// NICs, and only what config_url may bring is waived.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		params map[string]string
		rules  []error
	}{
		{"complete", map[string]string{spec.ImgID: "x", spec.ImgFormat: "diskdump"}, nil},
		{"nothing", nil, []error{ErrRequired, ErrRequired}},
		{"config_url", map[string]string{spec.ConfigURL: "https://example.org/"}, nil},
		{"empty config_url waives nothing", map[string]string{spec.ConfigURL: " "}, []error{ErrRequired, ErrRequired}},
		{"config_url waives nothing else", map[string]string{spec.ConfigURL: "https://example.org/", spec.ImgFormat: "zip"}, []error{ErrFormat}},
		{"swap disk of an unknown number", map[string]string{spec.ImgID: "x", spec.ImgFormat: "diskdump", spec.ImgProperties: `{"SWAP":"z"}`}, nil},
		{"swap disk a", map[string]string{spec.ImgID: "x", spec.ImgFormat: "diskdump", spec.ImgProperties: `{"SWAP":"a"}`}, []error{values.ErrSwap}},
	} {
		var p Parameters
		for name, text := range tc.params {
			p.Set(name, text, "OSP")
		}
		s, problems := Build(&p, Input{Mode: spec.ModeCheck})
		errs := problems.Errors()
		if len(errs) != len(tc.rules) || (s == nil) != (len(errs) > 0) {
			t.Errorf("%s: Build = %v, %v, want %v", tc.name, s, errs, tc.rules)
			continue
		}
		for _, rule := range tc.rules {
			if !errors.Is(errs, rule) {
				t.Errorf("%s: %v do not wrap %v", tc.name, errs, rule)
			}
		}
		if s != nil && len(s.Tasks()) > 0 {
			t.Errorf("%s: tasks %v", tc.name, s.Tasks())
		}
	}
}

// TestOnly runs one task and what it needs, whatever else is asked for.
func TestOnly(t *testing.T) {
	t.Parallel()
	in := deployInput()
	in.Mode, in.Only = spec.ModeCustomize, []string{spec.AssignHostname}
	p := everything()
	p.SetProperty(spec.PropSwap, "z", "--property")
	p.SetProperty(spec.PropCustomTask, "no base64", "--property")
	p.SetProperty(spec.PropDNS, "ns.example", "--property")
	s, problems := Build(p, in)
	if s == nil {
		t.Fatal(problems)
	}
	plan := s.Plan(spec.PlanOptions{})
	if diff := cmp.Diff([]string{spec.MountImage, spec.AssignHostname, spec.SELinuxAutorelabel, spec.UmountImage}, plan.Tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if plan.WantsCredentials || plan.Swap != nil {
		t.Errorf("plan wants credentials %v and swap %v, want neither", plan.WantsCredentials, plan.Swap)
	}
}
