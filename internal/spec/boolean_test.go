package spec

import (
	"testing"
)

func TestParseBool(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in         string
		yes, known bool
	}{
		{"YES", true, true},
		{"true", true, true},
		{"1", true, true},
		{" on ", true, true},
		{"Set", true, true},
		{"", false, true},
		{"no", false, true},
		{"FALSE", false, true},
		{"0", false, true},
		{"off", false, true},
		{"unset", false, true},
		{"2", true, false},
		{"nope", true, false},
	} {
		if yes, known := ParseBool(tc.in); yes != tc.yes || known != tc.known {
			t.Errorf("ParseBool(%q) = %v, %v, want %v, %v", tc.in, yes, known, tc.yes, tc.known)
		}
	}
}
