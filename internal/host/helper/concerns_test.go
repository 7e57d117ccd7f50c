package helper

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConcerns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, newest, e2fsprogs string
		want                    []string
	}{
		{"current", "2026-11-20", "1.47.2-3+b12", nil},
		{"90 days", "2026-08-28", "1.47.1-1~bpo12+1", nil},
		{
			"91 days", "2026-08-26", "1.47.2-3",
			[]string{"its newest package is of 2026-08-26, 91 days ago: security updates are missing"},
		},
		{
			"harmful version", "2026-11-20", "1.47.0-2",
			[]string{"e2fsprogs 1.47.0-2 is older than 1.47.1: " + minimums[0].reason},
		},
		{
			"both, and no version at all", "2025-11-25", "",
			[]string{
				"its newest package is of 2025-11-25, 365 days ago: security updates are missing",
				"e2fsprogs  is older than 1.47.1: " + minimums[0].reason,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := &Manifest{Newest: tc.newest, Suite: "trixie", Packages: []Package{
				{Name: "bash", Version: "1"}, {Name: "e2fsprogs", Version: tc.e2fsprogs}, {Name: "ntfs-3g", Version: "1:2022.10.3-5+deb13u3"},
			}}
			if diff := cmp.Diff(tc.want, m.Concerns(now)); diff != "" {
				t.Errorf("Concerns (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConcernsOfSuite: each suite has its own version that is repaired.
func TestConcernsOfSuite(t *testing.T) {
	t.Parallel()
	for suite, version := range map[string]string{"trixie": "1:2022.10.3-5", "bookworm": "1:2022.10.3-1+deb12u3"} {
		m := &Manifest{Suite: suite, Packages: []Package{{Name: "ntfs-3g", Version: version}}}
		if got := m.Concerns(time.Time{}); len(got) != 1 {
			t.Errorf("%s: %q, want one", suite, got)
		}
	}
}
