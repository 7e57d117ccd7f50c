package spec

import (
	"errors"
	"testing"

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
		{"complete", map[string]string{ImgID: "x", ImgFormat: "diskdump"}, nil},
		{"nothing", nil, []error{ErrRequired, ErrRequired}},
		{"config_url", map[string]string{ConfigURL: "https://example.org/"}, nil},
		{"empty config_url waives nothing", map[string]string{ConfigURL: " "}, []error{ErrRequired, ErrRequired}},
		{"config_url waives nothing else", map[string]string{ConfigURL: "https://example.org/", ImgFormat: "zip"}, []error{ErrFormat}},
		{"swap disk of an unknown number", map[string]string{ImgID: "x", ImgFormat: "diskdump", ImgProperties: `{"SWAP":"z"}`}, nil},
		{"swap disk a", map[string]string{ImgID: "x", ImgFormat: "diskdump", ImgProperties: `{"SWAP":"a"}`}, []error{ErrSwap}},
	} {
		var p Parameters
		for name, text := range tc.params {
			p.Set(name, text, "OSP")
		}
		s, problems := Build(&p, Input{Mode: ModeCheck})
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
	in.Mode, in.Only = ModeCustomize, []string{AssignHostname}
	p := everything()
	p.SetProperty(PropSwap, "z", "--property")
	p.SetProperty(PropCustomTask, "no base64", "--property")
	p.SetProperty(PropDNS, "ns.example", "--property")
	s, problems := Build(p, in)
	if s == nil {
		t.Fatal(problems)
	}
	plan := s.Plan(PlanOptions{})
	if diff := cmp.Diff([]string{MountImage, AssignHostname, UmountImage}, plan.Tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if plan.WantsCredentials || plan.Swap != nil {
		t.Errorf("plan wants credentials %v and swap %v, want neither", plan.WantsCredentials, plan.Swap)
	}
}
