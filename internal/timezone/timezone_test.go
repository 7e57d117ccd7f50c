package timezone

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNames looks for each time zone that Go knows Windows to have.
func TestNames(t *testing.T) {
	t.Parallel()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/time/zoneinfo_abbrs_windows.go"))
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`(?m)^\t"([^"]+)":`).FindAllStringSubmatch(string(text), -1)
	if len(known) < 100 {
		t.Fatalf("%d names", len(known))
	}
	for _, m := range known {
		if got, err := Lookup(strings.ToUpper(m[1])); err != nil || got != m[1] {
			t.Errorf("Lookup(%q) = %q, %v", m[1], got, err)
		}
	}
	if got, err := Lookup("Europe/Athens"); err == nil {
		t.Errorf("Europe/Athens is %q", got)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"GMT Standard Time": "085", "gtb standard time": "130", " W. Europe Standard Time ": "110", "Dateline Standard Time": "000", "Tonga Standard Time": "300", "Pacific Standard Time": "004",
	} {
		if got, err := Index(name); err != nil || got != want {
			t.Errorf("Index(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "Pacific", "UTC+13"} {
		if got, err := Index(name); err == nil {
			t.Errorf("Index(%q) = %q", name, got)
		}
	}
	seen := map[string]string{}
	for line := range strings.Lines(names) {
		if name, index, ok := strings.Cut(strings.TrimSpace(line), "="); ok && seen[index] != "" {
			t.Errorf("%s and %s are both %s", name, seen[index], index)
		} else if ok {
			seen[index] = name
		}
	}
}
