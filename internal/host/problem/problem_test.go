package problem

import (
	"errors"
	"testing"
)

func TestProblemFormat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want string
		p    Problem
	}{
		{"m", Problem{Message: "m"}},
		{"p.json:3:9: img_personality[2].owner: m; r", Problem{Origin: "p.json", Line: 3, Column: 9, Path: "img_personality[2].owner", Message: "m", Remedy: "r"}},
		{"--image: m", Problem{Origin: "--image", Message: "m"}},
		{"USERS: m", Problem{Path: "USERS", Message: "m"}},
	} {
		if got := tc.p.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
	ps := List{{Severity: Warning, Message: "w"}, {Severity: Error, Message: "e", Rule: ErrTooLarge}}
	if got, want := ps.Error(), "warning: w\nerror: e"; got != want {
		t.Errorf("Problems.Error() = %q, want %q", got, want)
	}
	if !errors.Is(ps.Err(), ErrTooLarge) || ps[:1].Err() != nil || len(ps.Warnings()) != 1 {
		t.Errorf("Err() = %v, Warnings() = %v", ps.Err(), ps.Warnings())
	}
	if p, ok := errors.AsType[Problem](ps.Err()); !ok || p.Message != "e" {
		t.Errorf("AsType[Problem] = %v, %v", p, ok)
	}
}
