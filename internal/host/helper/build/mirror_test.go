package build

import (
	"strings"
	"testing"
)

func TestFindMirror(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		targets string
		want    mirror
		wantErr string
	}{
		{
			"bookworm with its lists",
			`http://other.example/apt|cloud-sdk-bookworm|main|cloud-sdk
http://mirror.example/debian/|bookworm|contrib|Debian
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm-updates|main|Debian
http://mirror.example/debian-security/|bookworm-security|main|Debian
`,
			mirror{"http://mirror.example/debian/", "http://mirror.example/debian-security/"},
			"",
		},
		{
			"no lists yet",
			"http://nodes.example/|nodistro|main|\nhttp://m.example/debian|trixie|main|\nhttp://s.example/sec|trixie-security|main|\n",
			mirror{"http://m.example/debian", "http://s.example/sec"},
			"",
		},
		{
			"no security updates", "http://m.example/debian/|sid|main|Debian\n",
			mirror{"http://m.example/debian/", "http://m.example/debian-security"},
			"",
		},
		{
			"no convention", "http://m.example/all|trixie|main|Debian\n",
			mirror{},
			"the security updates that belong to http://m.example/all are not known",
		},
		{"Ubuntu", "http://m.example/ubuntu|noble|main|Ubuntu\n", mirror{}, "the sources of apt name no mirror of Debian"},
		{"Ubuntu without lists", "http://m.example/ubuntu|noble|main|\n", mirror{}, "the sources of apt name no mirror of Debian"},
		{"nothing", "", mirror{}, "the sources of apt name no mirror of Debian"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := findMirror(tc.targets)
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Fatalf("findMirror = %v, %v, want %s", got, err, tc.wantErr)
				}
				return
			}
			if got != tc.want || err != nil {
				t.Errorf("findMirror = %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

// TestSources looks for what makes the difference: signatures checked against
// Debian's keys only, security updates, and no backports.
func TestSources(t *testing.T) {
	t.Parallel()
	got := mirror{"http://m/debian", "http://m/debian-security"}.sources("trixie", "/keys.gpg")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	want := []string{"http://m/debian trixie main", "http://m/debian trixie-updates main", "http://m/debian-security trixie-security main"}
	if len(lines) != len(want) {
		t.Fatalf("sources = %q, want %d lines", got, len(want))
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "deb [") || !strings.Contains(line, " signed-by=/keys.gpg ") || !strings.HasSuffix(line, "] "+want[i]) {
			t.Errorf("line %d = %q, want signed-by and %q", i, line, want[i])
		}
	}
}

func TestFindSuite(t *testing.T) {
	t.Parallel()
	if s, err := findSuite(""); err != nil || s.name != "trixie" {
		t.Errorf(`findSuite("") = %s, %v, want trixie`, s.name, err)
	}
	for _, name := range []string{"bookworm-backports", "buster", "trixie-security", "../etc"} {
		if _, err := findSuite(name); err == nil || !strings.Contains(err.Error(), "known are trixie, bookworm") {
			t.Errorf("findSuite(%s) = %v, want the names of the known ones", name, err)
		}
	}
}
